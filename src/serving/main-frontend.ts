import cluster from "node:cluster";
import { processesOf } from "./frontend/config.ts";
import { servesAlone, servesInFleet, startsFleet } from "./frontend/processes/serve.ts";
import { runServingProcess } from "./process.ts";

/**
 * The HTTP frontend: checks requests, has runtimes compute them, hands jobs to the queue. With more than one process, this one starts the
 * others and adds up what they count.
 */
await runServingProcess("slipway-frontend", (config, log) => {
  if (cluster.isWorker) return servesInFleet(config, log);
  return processesOf(config.frontend) === 1 ? servesAlone(config, log) : startsFleet(config, log);
});
