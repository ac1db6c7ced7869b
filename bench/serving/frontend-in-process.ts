/**
 * A baseline: our own frontend with the model in its own process, by our own batcher. Against it the cost of the runtime's process shows
 * alone. Reads a host's configuration, as the processes of a host do.
 */
import { pino } from "pino";
import { limitsOf, readServingConfig } from "../../src/serving/config.ts";
import { buildFrontend } from "../../src/serving/frontend/app.ts";
import { loadedVersions } from "../../src/serving/models/registry.ts";
import { modelFolder, readRegistry } from "../../src/serving/models/registry-file.ts";
import { loadPackage } from "../../src/serving/models/verify.ts";
import { Batcher } from "../../src/serving/runtime/batcher.ts";
import { rowsIn } from "../../src/serving/runtime/fitting.ts";
import { noWorkers } from "../../test/serving/no-workers.ts";

const config = await readServingConfig();
const limits = limitsOf(config);
const [version] = loadedVersions(await readRegistry(config.modelsDir));
if (version === undefined) throw new Error("the registry names no model");
const { name, version: number, digest } = version;
const model = await loadPackage(modelFolder(config.modelsDir, digest));
const { card, runtimeVersion: onnxruntime, provider } = model;
const batcher = new Batcher((inputs) => model.run(inputs), limits, { joins: card.batching });
const served = { model: { name, version: number, digest }, card, onnxruntime };

const app = buildFrontend(
  {
    config,
    limits,
    jobs: undefined,
    workers: noWorkers(config),
    router: {
      find: () => served,
      findConnected: () => served,
      findLast: () => served,
      standInFor: () => undefined,
      trialBeside: () => undefined,
      models: [{ ...served, live: true, default: true }],
      runtimes: [{ id: "own", group: "default", onnxruntime, provider, batchRows: limits.batchRows, rows: 0 }],
      predict: async (_served, inputs) => ({
        ...(await batcher.submit({ inputs, rows: rowsIn(card, inputs) })),
        served,
      }),
      sync: async () => ({ failed: [] }),
    },
  },
  pino({ enabled: false }),
);
await app.listen({ host: config.frontend.host, port: config.frontend.port });
