import { limitsOf } from "./config.ts";
import { buildFrontend } from "./frontend/app.ts";
import { connectQueue, openJobQueue } from "./jobs/queue.ts";
import { runServingProcess } from "./process.ts";
import { RuntimeClient } from "./runtime/client.ts";

/** The HTTP frontend: checks requests, has the runtime compute them, hands jobs to the queue. */
await runServingProcess("slipway-frontend", async (config, log) => {
  const limits = limitsOf(config);
  const runtime = new RuntimeClient({
    socket: config.runtimeSocket,
    deadlineMs: limits.deadlineMs,
    inFlightRows: limits.inFlightRows,
    onChange: (hello) => log.info({ model: hello?.model ?? null }, hello ? "runtime connected" : "runtime lost"),
  });
  const connection = config.queue && (await connectQueue(config.queue, { blocking: false }));
  connection?.on("error", (error) => log.warn({ reason: error.message }, "queue connection"));
  const jobs = connection && openJobQueue(connection, limits.waitingJobs);
  const app = buildFrontend({ config, limits, runtime, jobs }, log);
  await app.listen({ host: config.frontend.host, port: config.frontend.port });
  return {
    close: async () => {
      await app.close();
      await jobs?.close();
      runtime.close();
    },
  };
});
