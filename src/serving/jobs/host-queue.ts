import type { Logger } from "pino";
import { limitsOf, type ServingConfig } from "../config.ts";
import { connectQueue, queueOptions } from "./connection.ts";
import { type JobQueue, openJobQueue } from "./queue.ts";
import { openSpool } from "./spool.ts";

/** The host's job queue, whose server may be away; undefined on a host without one. */
export async function openHostQueue(config: ServingConfig, log: Logger): Promise<JobQueue | undefined> {
  const { queue, jobs: keeping } = config;
  if (queue === undefined) return undefined;
  const { waitingJobs, spoolBytes } = limitsOf(config);
  const connection = await connectQueue(queue, { blocking: false });
  connection.on("error", (error) => log.warn({ reason: error.message }, "queue connection"));
  const spool = await openSpool(keeping.spoolDir, spoolBytes);
  const listen = () => queueOptions(queue, { blocking: true });
  return openJobQueue(connection, { prefix: queue.prefix, waitingJobs, ...keeping, spool, listen });
}
