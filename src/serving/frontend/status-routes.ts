import type { FastifyInstance } from "fastify";
import { defaultModel } from "../models/registry.ts";
import { readRegistry } from "../models/registry-file.ts";
import type { FrontendContext } from "./context.ts";
import { HttpError, runtimeAway } from "./errors.ts";

/** `GET /v2/health/live`, `GET /v2/health/ready` and `GET /version`. */
export function statusRoutes(app: FastifyInstance, { config, router }: FrontendContext): void {
  app.get("/v2/health/live", () => ({ live: true }));

  app.get("/v2/health/ready", async () => {
    const served = router.findConnected();
    if (!served) throw runtimeAway();
    const wanted = defaultModel(await readRegistry(config.modelsDir));
    if (served.model.digest !== wanted?.digest) {
      throw new HttpError(
        503,
        "MODEL_OUTDATED",
        `the runtime serves ${served.model.digest}, the registry names ${wanted?.digest ?? "none"}`,
        1,
      );
    }
    return { ready: true, model: served.model };
  });

  app.get("/version", () => ({
    payload: config.payload,
    stack: config.stack,
    host: config.host,
    generation: config.generation,
    model: router.findConnected()?.model ?? null,
    node: process.version,
    onnxruntime: router.runtimes[0]?.onnxruntime ?? null,
    provider: router.runtimes[0]?.provider ?? null,
  }));
}
