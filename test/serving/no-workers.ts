import { pino } from "pino";
import type { ServingConfig } from "../../src/serving/config.ts";
import { openWorkers, type Workers } from "../../src/serving/workers/workers.ts";

/** The workers of a host without a queue: none but its own runtimes, which are played. */
export function noWorkers({ workers: settings }: Pick<ServingConfig, "workers">): Workers {
  const router = { follow: () => undefined, links: [] };
  return openWorkers({ settings, own: [], router, queue: undefined, log: pino({ enabled: false }) });
}
