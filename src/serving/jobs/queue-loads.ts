import type { Queues } from "./queues.ts";

/** How much there is to do in one queue, and who does it. */
export interface QueueLoad {
  queue: string;
  /** Jobs that could begin. */
  waiting: number;
  active: number;
  /** Jobs before their time, also between two attempts. */
  delayed: number;
  /** Those that are still kept. */
  failed: number;
  /** Worker processes that take from it. */
  workers: number;
}

/** The loads of the queues that jobs are worked from. Rejects while the queues' server is away. */
export function queueLoads(work: Queues["work"]): Promise<QueueLoad[]> {
  return Promise.all(
    Object.entries(work).map(async ([name, queue]) => {
      const [counts, workers] = await Promise.all([
        queue.getJobCounts("waiting", "prioritized", "active", "delayed", "failed"),
        queue.getWorkersCount(),
      ]);
      const { waiting = 0, prioritized = 0, active = 0, delayed = 0, failed = 0 } = counts;
      return { queue: name, waiting: waiting + prioritized, active, delayed, failed, workers };
    }),
  );
}
