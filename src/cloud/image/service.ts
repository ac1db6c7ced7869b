import type { FastifyInstance } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { answerFaults } from "../http/faults.ts";
import { acceptJson } from "../http/json-body.ts";
import { requireToken } from "../identity/tokens.ts";
import { contentRoutes } from "./content-routes.ts";
import type { ImageOptions } from "./context.ts";
import { glance, writeFault } from "./faults.ts";
import { imageRoutes } from "./image-routes.ts";
import { infoRoutes } from "./info.ts";
import { memberRoutes } from "./members.ts";

/** Of the Zed release, with one store. */
const versionIds = [
  "2.15",
  "2.13",
  "2.12",
  "2.11",
  "2.10",
  "2.9",
  "2.8",
  "2.7",
  "2.6",
  "2.5",
  "2.4",
  "2.3",
  "2.2",
  "2.1",
  "2.0",
];

/** @throws ApiError 400 */
function demandObjectOrList(body: unknown): void {
  if (body === undefined || (typeof body === "object" && body !== null)) return;
  throw glance.badRequest("Unexpected body type. Expected list/dict.");
}

/** Glance v2 below `/image`. */
export async function imageService(app: FastifyInstance, options: ImageOptions): Promise<void> {
  answerFaults(app, writeFault, options.log, {
    malformed: "Malformed JSON in request body.",
    wrongMethod: (reply, { method }) =>
      writeFault(reply, new ApiError(405, `The method ${method} is not allowed for this resource. `)),
    bodyLimit: null,
  });
  // Glance reads JSON whatever the client calls it
  app.removeContentTypeParser("text/plain");
  acceptJson(app, "*");
  const versions = () => ({
    versions: versionIds.map((id, index) => ({
      id: `v${id}`,
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
      inner.addHook("preValidation", async ({ body }) => demandObjectOrList(body));
      imageRoutes(inner, options);
      memberRoutes(inner, options);
      contentRoutes(inner, options);
      infoRoutes(inner, options);
    },
    { prefix: "/v2" },
  );
}
