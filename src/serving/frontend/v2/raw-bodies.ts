import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { HttpError } from "../errors.ts";

const unpackers = { gzip: promisify(gunzip), deflate: promisify(inflate) } as const;

/** Hands bodies to the handlers as they came, whatever type they claim to be; packed ones unpacked, up to the bytes that a route takes. */
export function takeRawBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    "*",
    { parseAs: "buffer" },
    async ({ headers, routeOptions }: FastifyRequest, body: Buffer) => {
      const encoding = headers["content-encoding"] ?? "identity";
      if (encoding === "identity") return body;
      if (!Object.hasOwn(unpackers, encoding)) {
        throw new HttpError(415, "ENCODING_UNKNOWN", "a body is packed with gzip, with deflate, or not at all");
      }
      const maxOutputLength = routeOptions.bodyLimit ?? app.initialConfig.bodyLimit ?? 0;
      try {
        return await unpackers[encoding as keyof typeof unpackers](body, { maxOutputLength });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
          throw new HttpError(413, "BODY_TOO_LARGE", `unpacked, the body has more than ${maxOutputLength} bytes`);
        }
        throw new HttpError(400, "REQUEST_INVALID", `the body is not ${encoding}`);
      }
    },
  );
}
