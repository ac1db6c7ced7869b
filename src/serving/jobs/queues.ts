import { FlowProducer, type JobsOptions, Queue } from "bullmq";
import type { Redis } from "ioredis";
import { queueNames, type WorkQueue } from "./records.ts";

/** How long finished jobs are kept, in seconds. */
export interface Keeping {
  keepS: number;
  keepFailedS: number;
}

/** The queues, as who adds jobs and asks for them uses them. */
export interface Queues {
  prefix: string;
  redis: Redis;
  work: Record<WorkQueue, Queue>;
  deadLetters: Queue;
  flows: FlowProducer;
  close(): Promise<void>;
}

/** Far above what is kept by age on any host of ours: a bound on the server's memory. */
const KEPT_JOBS = 20_000;

/** A key of our own beside BullMQ's. */
export function ownKey(prefix: string, ...parts: string[]): string {
  return [prefix, "slipway", ...parts].join(":");
}

/** What holds for every job unless it says otherwise. */
function jobDefaults({ keepS, keepFailedS }: Keeping): JobsOptions {
  return {
    attempts: 8, // over a minute: longer than a runtime is away
    backoff: { type: "exponential", delay: 500, jitter: 0.5 },
    removeOnComplete: { age: keepS, count: KEPT_JOBS },
    removeOnFail: { age: keepFailedS, count: KEPT_JOBS },
    stackTraceLimit: 1,
  };
}

/** Opens the queues. The connection must be up: BullMQ looks at the server's version once and remembers a failure. */
export async function openQueues(connection: Redis, prefix: string, keeping: Keeping): Promise<Queues> {
  if (connection.status !== "ready") throw new Error("the queue's server is not connected");
  const open = (name: string) => {
    const queue = new Queue(name, { connection, prefix, defaultJobOptions: jobDefaults(keeping) });
    queue.on("error", () => undefined); // each call rejects by itself
    return queue;
  };
  const work = {
    predictions: open(queueNames.predictions),
    training: open(queueNames.training),
    maintenance: open(queueNames.maintenance),
  };
  const deadLetters = open(queueNames.deadLetters);
  const flows = new FlowProducer({ connection, prefix });
  flows.on("error", () => undefined);
  const all = [...Object.values(work), deadLetters];
  await Promise.all(all.map((queue) => queue.waitUntilReady()));
  return {
    prefix,
    redis: connection,
    work,
    deadLetters,
    flows,
    close: async () => {
      await Promise.all([...all.map((queue) => queue.close()), flows.close()]);
    },
  };
}
