import { limitsOf, runtimeSockets } from "./config.ts";
import { buildFrontend } from "./frontend/app.ts";
import { connectQueue, openJobQueue } from "./jobs/queue.ts";
import { runServingProcess } from "./process.ts";
import { tellRuntimes } from "./routing/log.ts";
import { Router } from "./routing/router.ts";

/** The HTTP frontend: checks requests, has runtimes compute them, hands jobs to the queue. */
await runServingProcess("slipway-frontend", async (config, log) => {
  const limits = limitsOf(config);
  const router = new Router({
    sockets: runtimeSockets(config),
    deadlineMs: limits.deadlineMs,
    inFlightRows: limits.inFlightRows,
    onChange: () => tellRuntimes(router, log),
  });
  const connection = config.queue && (await connectQueue(config.queue, { blocking: false }));
  connection?.on("error", (error) => log.warn({ reason: error.message }, "queue connection"));
  const jobs = connection && openJobQueue(connection, limits.waitingJobs);
  const app = buildFrontend({ config, limits, router, jobs }, log);
  await app.listen({ host: config.frontend.host, port: config.frontend.port });
  return {
    close: async () => {
      await app.close();
      await jobs?.close();
      router.close();
    },
  };
});
