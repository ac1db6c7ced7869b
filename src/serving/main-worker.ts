import { limitsOf, runtimeSockets } from "./config.ts";
import { connectQueue } from "./jobs/queue.ts";
import { startWorker } from "./jobs/worker.ts";
import { takesRows } from "./models/card.ts";
import { runServingProcess } from "./process.ts";
import { tellRuntimes } from "./routing/log.ts";
import { RuntimeError } from "./routing/question.ts";
import { Router } from "./routing/router.ts";
import { predictRows, type RowAnswer } from "./routing/rows.ts";

/** The job worker: takes prediction jobs from the queue and has the runtime compute them. */
await runServingProcess("slipway-worker", async (config, log) => {
  if (config.queue === undefined) throw new Error("a worker needs a queue: serving.json has none");
  const limits = limitsOf(config);
  const connection = await connectQueue(config.queue, { blocking: true });
  connection.on("error", () => undefined); // the worker tells it, too
  const router = new Router({
    sockets: runtimeSockets(config),
    deadlineMs: limits.deadlineMs,
    inFlightRows: limits.inFlightRows,
    onChange: () => tellRuntimes(router, log),
  });
  const worker = startWorker(connection, (values, rows) => predictByDefault(router, values, rows), log);
  log.info({ queue: `${config.queue.host}:${config.queue.port}` }, "started");
  return {
    close: async () => {
      await worker.close();
      router.close();
      connection.disconnect();
    },
  };
});

/** By whatever model is the default one now. Rejects with RuntimeError. */
async function predictByDefault(router: Router, values: Float32Array, rows: number): Promise<RowAnswer> {
  const served = router.find();
  if (served === undefined) throw new RuntimeError("unavailable", "the model runtime is not there");
  const { card } = served;
  if (!takesRows(card) || values.length !== rows * card.rows.input.features) {
    throw new RuntimeError("invalid", `the rows do not fit ${served.model.name} ${served.model.version}`);
  }
  return predictRows(router, { ...served, card }, values, rows);
}
