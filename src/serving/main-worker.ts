import { limitsOf } from "./config.ts";
import { connectQueue } from "./jobs/queue.ts";
import { startWorker } from "./jobs/worker.ts";
import { runServingProcess } from "./process.ts";
import { RuntimeClient } from "./runtime/client.ts";

/** The job worker: takes prediction jobs from the queue and has the runtime compute them. */
await runServingProcess("slipway-worker", async (config, log) => {
  if (config.queue === undefined) throw new Error("a worker needs a queue: serving.json has none");
  const limits = limitsOf(config);
  const connection = await connectQueue(config.queue, { blocking: true });
  connection.on("error", () => undefined); // the worker tells it, too
  const runtime = new RuntimeClient({
    socket: config.runtimeSocket,
    deadlineMs: limits.deadlineMs,
    inFlightRows: limits.inFlightRows,
    onChange: (hello) => log.info({ model: hello?.model ?? null }, hello ? "runtime connected" : "runtime lost"),
  });
  const worker = startWorker(connection, (values, rows) => runtime.predict(values, rows), log);
  log.info({ queue: `${config.queue.host}:${config.queue.port}` }, "started");
  return {
    close: async () => {
      await worker.close();
      runtime.close();
      connection.disconnect();
    },
  };
});
