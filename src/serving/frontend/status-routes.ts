import type { FastifyInstance } from "fastify";
import { currentIdentity } from "../models/current.ts";
import type { FrontendContext } from "./context.ts";
import { HttpError, runtimeAway } from "./errors.ts";

/** `GET /v2/health/live`, `GET /v2/health/ready` and `GET /version`. */
export function statusRoutes(app: FastifyInstance, { config, runtime }: FrontendContext): void {
  app.get("/v2/health/live", () => ({ live: true }));

  app.get("/v2/health/ready", async () => {
    const { hello } = runtime;
    if (!hello) throw runtimeAway();
    const current = await currentIdentity(config.modelsDir);
    if (hello.model.digest !== current.digest) {
      throw new HttpError(
        503,
        "MODEL_OUTDATED",
        `the runtime serves ${hello.model.digest}, current is ${current.digest}`,
        1,
      );
    }
    return { ready: true, model: hello.model };
  });

  app.get("/version", () => ({
    payload: config.payload,
    stack: config.stack,
    host: config.host,
    generation: config.generation,
    model: runtime.hello?.model ?? null,
    node: process.version,
    onnxruntime: runtime.hello?.onnxruntime ?? null,
  }));
}
