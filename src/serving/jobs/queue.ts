import { createHash, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Job, Queue } from "bullmq";
import { Redis } from "ioredis";
import type { ServingConfig } from "../config.ts";
import type { Prediction } from "../models/card.ts";
import type { ModelIdentity } from "../models/registry.ts";

/** The BullMQ queue that frontends and workers share. */
export const PREDICTION_QUEUE = "predictions";

export interface PredictionJob {
  rows: number[][];
}

/** What a finished job answers; the model is the one that served when the job ran. */
export interface PredictionResult {
  model: ModelIdentity;
  predictions: Prediction[];
}

/** A job as `GET /v1/jobs/:id` tells it. */
interface JobReport {
  id: string;
  state: "waiting" | "active" | "completed" | "failed";
  result?: PredictionResult;
  /** Why it failed. */
  reason?: string;
}

/** Accepts jobs and tells what became of them. Methods reject while the queue's server is away. */
export interface JobQueue {
  /** Accepts a job; the same key within a job's lifetime is the same job. Undefined when too many wait. */
  add(rows: number[][], key?: string): Promise<JobReport | undefined>;
  find(id: string): Promise<JobReport | undefined>;
  /** How many jobs there are in each state. */
  depths(): Promise<Record<string, number>>;
  close(): Promise<void>;
}

type PredictionQueue = Queue<PredictionJob, PredictionResult, "predict">;

const HOUR_S = 3600;
const COMMAND_TIMEOUT_MS = 2000;

/**
 * A connection to the host's queue. `blocking` is for workers: it waits for a server that is away, while a frontend must fail at once.
 */
export async function connectQueue(
  { host, port, passwordFile }: NonNullable<ServingConfig["queue"]>,
  { blocking }: { blocking: boolean },
): Promise<Redis> {
  const password = (await readFile(passwordFile, "utf8")).trim();
  return new Redis({
    host,
    port,
    password,
    retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, 1000) * (0.5 + Math.random() / 2),
    ...(blocking
      ? { maxRetriesPerRequest: null }
      : { maxRetriesPerRequest: 0, enableOfflineQueue: false, commandTimeout: COMMAND_TIMEOUT_MS }),
  });
}

/** The queue as a frontend uses it. */
export function openJobQueue(connection: Redis, waitingJobs: number): JobQueue {
  let opened: Promise<PredictionQueue> | undefined;
  // BullMQ looks at the server's version once and remembers a failure: it must not begin before there is a server.
  const queue = (): Promise<PredictionQueue> => {
    opened ??= openQueue(connection).catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
  const find = async (id: string): Promise<JobReport | undefined> => {
    const state = await (await queue()).getJobState(id); // before the job itself: a completed one has its result
    const job = await (await queue()).getJob(id);
    return job && reportOf(job, state);
  };
  return {
    add: async (rows, key) => {
      const jobs = await queue();
      if ((await jobs.getWaitingCount()) >= waitingJobs) return undefined;
      // BullMQ's own ids are counted up: whoever has one could read all other callers' results
      const jobId = key === undefined ? randomUUID() : idOfKey(key);
      await jobs.add("predict", { rows }, { jobId });
      return find(jobId);
    },
    find,
    depths: async () => (await queue()).getJobCounts("waiting", "active", "delayed", "completed", "failed"),
    close: async () => {
      await (await opened)?.close();
      connection.disconnect();
    },
  };
}

async function openQueue(connection: Redis): Promise<PredictionQueue> {
  if (connection.status !== "ready") throw new Error("the queue's server is not connected");
  const queue: PredictionQueue = new Queue(PREDICTION_QUEUE, {
    connection,
    defaultJobOptions: {
      attempts: 8, // over a minute: longer than a runtime is away
      backoff: { type: "exponential", delay: 500, jitter: 0.5 },
      removeOnComplete: { age: HOUR_S, count: 1000 },
      removeOnFail: { age: 24 * HOUR_S, count: 1000 },
    },
  });
  queue.on("error", () => undefined); // each call rejects by itself
  await queue.waitUntilReady();
  return queue;
}

/** A caller's key is free text; BullMQ's ids are not. */
function idOfKey(key: string): string {
  return `key-${createHash("sha256").update(key).digest("hex").slice(0, 32)}`;
}

function reportOf(job: Job<PredictionJob, PredictionResult>, state: string): JobReport {
  const id = job.id as string;
  if (state === "completed") return { id, state, result: job.returnvalue };
  if (state === "failed") return { id, state, reason: job.failedReason };
  if (state === "active") return { id, state };
  return { id, state: "waiting" }; // "delayed", too: before another attempt
}
