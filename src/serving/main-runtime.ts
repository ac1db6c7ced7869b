import { limitsOf } from "./config.ts";
import { requireCurrentModel } from "./models/current.ts";
import { loadPackage } from "./models/verify.ts";
import { runServingProcess } from "./process.ts";
import { serveRuntime } from "./runtime/server.ts";

/** The model runtime: loads the current model, which must answer its golden rows, and computes for frontends and workers. */
await runServingProcess("slipway-runtime", async (config, log) => {
  const limits = limitsOf(config);
  const { identity, folder } = await requireCurrentModel(config.modelsDir);
  const { card, model } = await loadPackage(folder, limits.inferenceThreads);
  const server = await serveRuntime({
    socket: config.runtimeSocket,
    hello: { model: identity, card, onnxruntime: model.runtimeVersion },
    compute: model.run,
    limits,
    log,
  });
  log.info({ model: identity }, "ready");
  return server;
});
