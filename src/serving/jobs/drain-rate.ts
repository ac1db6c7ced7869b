import type { Redis } from "ioredis";
import { ownKey } from "./queues.ts";
import type { WorkQueue } from "./records.ts";

const BUCKET_S = 10;
const BUCKETS = 6;
/** Before a worker has finished anything nobody knows: it may be starting. */
const UNKNOWN_RETRY_S = 30;
const LONGEST_RETRY_S = 60;

function bucketKey(prefix: string, queue: WorkQueue, bucket: number): string {
  return ownKey(prefix, "finished", queue, String(bucket));
}

/** Counts jobs that have left a queue. */
export async function countFinished(redis: Redis, prefix: string, queue: WorkQueue, jobs: number, now = Date.now()) {
  const key = bucketKey(prefix, queue, Math.floor(now / 1000 / BUCKET_S));
  await redis
    .multi()
    .incrby(key, jobs)
    .expire(key, BUCKET_S * (BUCKETS + 2))
    .exec();
}

/** Jobs that leave a queue in a second, over the last minute. */
export async function drainRate(redis: Redis, prefix: string, queue: WorkQueue, now = Date.now()): Promise<number> {
  const current = Math.floor(now / 1000 / BUCKET_S);
  const keys = Array.from({ length: BUCKETS + 1 }, (_, back) => bucketKey(prefix, queue, current - back));
  const counts = (await redis.mget(keys)).map((count) => Number(count ?? 0));
  // the time since the oldest count: a queue that has just begun to drain is as fast as it is, not a sixth of that
  const oldest = counts.findLastIndex((count) => count > 0);
  if (oldest === -1) return 0;
  const seconds = Math.max(1, now / 1000 - (current - oldest) * BUCKET_S);
  return counts.reduce((sum, count) => sum + count, 0) / seconds;
}

/** Seconds after which a full queue has room again: a twentieth of its length has left it then. */
export function retryAfter(rate: number, limit: number): number {
  if (rate <= 0) return UNKNOWN_RETRY_S;
  return Math.min(LONGEST_RETRY_S, Math.max(1, Math.ceil(Math.max(1, limit / 20) / rate)));
}
