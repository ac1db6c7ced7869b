import { startQueueServer } from "../../test/support/queue-server.ts";
import { startHost } from "./ours.ts";
import { asksRow, firstPrediction, type ServingPath } from "./path.ts";
import { endAll } from "./start.ts";

/** A host of ours whose model is durable, with a queue server that writes every change to disk before it answers. */
export function durable(key: string, name: string): ServingPath {
  return {
    key,
    name,
    kind: "ours",
    start: async (net, folder) => {
      const queue = await startQueueServer(folder, { persistent: "always" });
      const changes = { queue: queue.queue, models: { diabetes: { durable: true } } };
      const { host, frontend, runtimes } = await startHost(net, folder, changes).catch(async (error: unknown) => {
        await queue.stop();
        throw error;
      });
      const runtimePids = runtimes.map(({ pid }, index) => [`runtime ${index + 1}`, pid] as const);
      return {
        question: asksRow(`${host.url}/v1/predict`, net),
        probabilityIn: firstPrediction,
        processes: { frontend: frontend.pid, ...Object.fromEntries(runtimePids), queue: queue.pid() },
        stop: async () => {
          await endAll(frontend, ...runtimes);
          await queue.stop();
        },
      };
    },
  };
}
