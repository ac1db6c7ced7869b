import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { requireReady } from "../../inference/readiness.ts";
import { modelIdentity } from "../answers.ts";
import type { FrontendContext } from "../context.ts";

const tags = ["health and identity"];
const schemas = {
  live: { summary: "The frontend runs", tags, response: { 200: z.object({ live: z.literal(true) }) } },
  ready: {
    summary: "The current model is loaded and has passed its golden rows",
    tags,
    response: { 200: z.object({ ready: z.literal(true), model: modelIdentity }) },
  },
  version: {
    summary: "What runs here",
    tags,
    response: {
      200: z.object({
        payload: z.string().describe("digest of the software"),
        stack: z.string(),
        host: z.string(),
        generation: z.string(),
        model: modelIdentity.nullable(),
        node: z.string(),
        onnxruntime: z.string().nullable(),
        provider: z.enum(["cpu", "cuda"]).nullable().describe("what computes"),
        providerNote: z.string().nullable().describe("why it is not CUDA although that was asked for"),
      }),
    },
  },
};

/** `GET /v2/health/live`, `GET /v2/health/ready` and `GET /version`. */
export function statusRoutes(app: FastifyInstance, context: FrontendContext): void {
  const { config, router } = context;
  app.get("/v2/health/live", { config: { role: "public" }, schema: schemas.live }, () => ({ live: true }));

  app.get("/v2/health/ready", { config: { role: "public" }, schema: schemas.ready }, async () => {
    return { ready: true, model: await requireReady(context) };
  });

  app.get("/version", { config: { role: "read" }, schema: schemas.version }, () => ({
    payload: config.payload,
    stack: config.stack,
    host: config.host,
    generation: config.generation,
    model: router.findConnected()?.model ?? null,
    node: process.version,
    onnxruntime: router.runtimes[0]?.onnxruntime ?? null,
    provider: router.runtimes[0]?.provider ?? null,
    providerNote: router.runtimes[0]?.providerNote ?? null,
  }));
}
