import { createReadStream, statSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { acceptJson } from "../http/app.ts";
import { parseBody } from "../http/body.ts";
import { answerFaults, keystoneBody, reasonPhrase } from "../http/faults.ts";
import { requireToken, type Tokens } from "../identity/tokens.ts";
import { storeContent } from "../store/content.ts";
import type { Collection, Store } from "../store/store.ts";
import { activated, failInterruptedImports, importContent, importing } from "./content.ts";
import { passesFiltering } from "./download.ts";
import { createImage, deleteImage, listImages, ownImage, patchImage, visibleImage } from "./images.ts";
import type { Image } from "./records.ts";
import { imageView } from "./view.ts";

export interface ImageOptions {
  store: Store;
  table: Collection<Image>;
  tokens: Tokens;
  /** Folder for uploaded images. */
  folder: string;
  /** Whether a server was made from the image and still exists. */
  inUse: (imageId: string) => boolean;
  base: () => string;
  log: (line: string) => void;
}

/** Glance v2 below `/image`. Errors are HTML, as its WSGI layer writes them. */
export async function imageService(app: FastifyInstance, options: ImageOptions): Promise<void> {
  answerFaults(
    app,
    (reply, error) => {
      reply.code(error.status);
      if (error.status === 401) return reply.send(keystoneBody(error));
      const title = `${error.status} ${reasonPhrase[error.status] ?? "Error"}`;
      const words = error.message.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
      return reply
        .type("text/html; charset=UTF-8")
        .send(
          `<html>\n <head>\n  <title>${title}</title>\n </head>\n <body>\n  <h1>${title}</h1>\n  ${words}<br /><br />\n\n\n </body>\n</html>`,
        );
    },
    options.log,
  );
  acceptJson(app, /^application\/openstack-images-v2\.\d+-json-patch/);
  app.addContentTypeParser("application/octet-stream", (_request, payload, done) => done(null, payload));
  const versions = () => ({
    versions: ["v2.9", "v2.7", "v2.5", "v2.0"].map((id, index) => ({
      id,
      status: index === 0 ? "CURRENT" : "SUPPORTED",
      links: [{ rel: "self", href: `${options.base()}/image/v2/` }],
    })),
  });
  app.get("/", (_request, reply) => reply.code(300).send(versions()));
  app.get("/versions", () => versions());
  app.get("/v2", (_request, reply) => reply.code(300).send(versions()));
  await app.register(
    async (inner) => {
      inner.addHook("onRequest", requireToken(options.tokens, "image"));
      imageRoutes(inner, options);
      contentRoutes(inner, options);
    },
    { prefix: "/v2" },
  );
}

interface One {
  Params: { id: string };
}

function imageRoutes(app: FastifyInstance, { store, table, inUse }: ImageOptions): void {
  app.get<{ Querystring: Record<string, string | string[]> }>("/images", ({ scope, query }) => {
    const { images, more } = listImages(table, scope, query);
    const pageOf = (marker?: unknown) => {
      const search = new URLSearchParams();
      for (const [key, value] of Object.entries(query)) for (const text of [value].flat()) search.append(key, text);
      search.delete("marker");
      if (marker !== undefined) search.set("marker", String(marker));
      return `/v2/images${search.size === 0 ? "" : `?${search}`}`;
    };
    return {
      images,
      first: pageOf(),
      ...(more ? { next: pageOf(images.at(-1)?.id) } : {}),
      schema: "/v2/schemas/images",
    };
  });
  app.post("/images", ({ scope, body }, reply) => {
    const image = store.transaction(() => createImage(table, scope, body));
    return reply.code(201).header("location", `/v2/images/${image.id}`).send(imageView(image));
  });
  app.get<One>("/images/:id", ({ scope, params }) => imageView(visibleImage(table, scope, params.id)));
  app.patch<One>("/images/:id", ({ scope, params, body }) =>
    imageView(store.transaction(() => patchImage(table, scope, ownImage(table, scope, params.id), body))),
  );
  app.delete<One>("/images/:id", ({ scope, params }, reply) => {
    store.transaction(() => {
      const image = ownImage(table, scope, params.id);
      if (inUse(image.id)) {
        throw new ApiError(
          409,
          `Image ${image.id} could not be deleted because it is in use: The image cannot be deleted because it is in use by a server.`,
        );
      }
      deleteImage(table, image);
    });
    return reply.code(204).send();
  });
  app.get<One>("/images/:id/members", ({ scope, params }) => {
    visibleImage(table, scope, params.id);
    return { members: [], schema: "/v2/schemas/members" };
  });
}

const importBody = z.object({ method: z.object({ name: z.literal("web-download"), uri: z.string() }) });

/** @throws ApiError 409 for an image that has content, or whose form is not known yet */
function demandReady(image: Image, next: string): void {
  if (image.status !== "queued")
    throw new ApiError(409, `Image status transition from ${image.status} to ${next} is not allowed`);
  if (image.diskFormat === null || image.containerFormat === null) {
    throw new ApiError(409, "Properties disk_format, container_format must be set prior to saving data.");
  }
}

function contentRoutes(app: FastifyInstance, { table, folder, log }: ImageOptions): void {
  const end = new AbortController();
  app.addHook("onClose", async () => end.abort());
  failInterruptedImports(table);
  app.post<One>("/images/:id/import", ({ scope, params, body }, reply) => {
    const image = ownImage(table, scope, params.id);
    const { uri } = parseBody(importBody, body).method;
    if (!passesFiltering(uri)) throw new ApiError(400, `URI for web-download does not pass filtering: ${uri}`);
    demandReady(image, "importing");
    table.patch(image.id, importing(image));
    void importContent(table, { id: image.id, uri, path: join(folder, image.id), closed: end.signal, log });
    return reply.code(202).send();
  });
  app.put<One>("/images/:id/file", async ({ scope, params, body }, reply) => {
    const image = ownImage(table, scope, params.id);
    demandReady(image, "saving");
    const path = join(folder, image.id);
    table.patch(image.id, activated(await storeContent(body as Readable, path), path));
    return reply.code(204).send();
  });
  app.get<One>("/images/:id/file", ({ scope, params }, reply) => {
    const image = visibleImage(table, scope, params.id);
    if (image.path === null) return reply.code(204).send();
    if (!statSync(image.path).isFile()) {
      throw new ApiError(403, "This image is the root tree of container guests and cannot be downloaded.");
    }
    reply.type("application/octet-stream").header("content-length", image.size ?? 0);
    if (image.checksum !== null) reply.header("content-md5", image.checksum);
    return reply.send(createReadStream(image.path));
  });
}
