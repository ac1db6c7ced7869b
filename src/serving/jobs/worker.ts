import { setTimeout as sleep } from "node:timers/promises";
import { type Job, UnrecoverableError, WaitingError, Worker, type WorkerOptions } from "bullmq";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { messageOf } from "../../common/errors.ts";
import { ChildCrash, type JobChildren, JobFailure } from "./children.ts";
import { isDeadLetter, keepDeadLetter } from "./dead-letters.ts";
import { countFinished } from "./drain-rate.ts";
import { ownKey, type Queues } from "./queues.ts";
import {
  CANCELLED,
  DEADLINE,
  deadlineOf,
  type JobProgress,
  type PredictionJob,
  queueNames,
  type WorkQueue,
} from "./records.ts";
import { filesOf, type TrainingJob } from "./requests.ts";
import type { Spool } from "./spool.ts";

type AnyJob = Job<PredictionJob | TrainingJob>;

/** What a worker works with. */
export interface WorkerSetup {
  /** Waits for a server that is away. */
  connection: Redis;
  /** For the worker's own questions and notes. */
  queues: () => Promise<Queues>;
  children: Record<WorkQueue, JobChildren>;
  spool: Pick<Spool, "remove">;
  /** Maintenance that needs the queues and no process of its own. */
  chores: Readonly<Record<string, (job: Job) => Promise<unknown>>>;
  prefix: string;
  /** Jobs run in processes of their own, so that this one's event loop stalls for as long as a lock lives on a slow machine only. */
  lockMs?: number;
  limits: { predictionJobs: number; trainingJobs: number; trainingsPerMinute: number };
  log: Logger;
}

/** A job that has ended its process this often is a poison: it is not tried again. */
const MAX_CRASHES = 2;
/** Starts of a job altogether, also those that nobody saw end: above all attempts and some stalls. */
const MAX_STARTS = 12;
/** How many lines of a job's log are kept. */
const LOG_LINES = 10_000;
const MAX_LINE = 2000;
/** How often running jobs look whether somebody wants them to stop. */
const LOOK_MS = 500;
/** From a worker's stop until running jobs are given back. */
const STOP_MS = 5000;

const timing = {
  // with the lock's 5 s: what a killed worker had under way begins again within 6 s
  stalledInterval: 1000,
  maxStalledCount: 2,
  maxStartedAttempts: MAX_STARTS,
} satisfies Partial<WorkerOptions>;

/** A server that has been away for so long while a worker stops is not waited for: it moves to another place, for one. */
const AWAY_MS = 1000;
const AWAY_LOOK_MS = 100;

/** Why a running job is to stop. */
class Stop extends Error {
  override readonly name = "Stop";
}
const STOPPING = "the worker stops";
const LOCK_LOST = "another worker has the job";

/**
 * Works on the jobs of all queues until `close`, which lets short ones finish and gives long ones back. Jobs of a worker that dies go to
 * another within six seconds.
 */
export function startWorker(setup: WorkerSetup): { close: () => Promise<void> } {
  const { connection, prefix, lockMs = 5000, limits, log } = setup;
  const running = new Map<string, AbortController>();
  const finished = new Map<WorkQueue, number>();

  const open = (queue: WorkQueue, options: Partial<WorkerOptions>): Worker => {
    const worker = new Worker(queueNames[queue], (job, token) => work(queue, job as AnyJob, token ?? ""), {
      connection,
      prefix,
      ...timing,
      lockDuration: lockMs,
      ...options,
    });
    worker.on("error", (error) => log.warn({ reason: error.message }, "queue"));
    worker.on("completed", (job) => void settled(queue, job as AnyJob, true));
    worker.on("failed", (job, error) => {
      log.warn({ queue, job: job?.id, attempt: job?.attemptsMade, reason: error.message }, "attempt failed");
      if (job?.finishedOn !== undefined) void settled(queue, job as AnyJob, false);
    });
    worker.on("lockRenewalFailed", (ids) => {
      for (const id of ids) running.get(id)?.abort(new Stop(LOCK_LOST));
    });
    return worker;
  };

  const workers = [
    open("predictions", { concurrency: limits.predictionJobs }),
    open("training", {
      concurrency: limits.trainingJobs,
      limiter: { max: limits.trainingsPerMinute, duration: 60_000 },
    }),
    open("maintenance", { concurrency: 2 }),
  ];

  async function work(queue: WorkQueue, job: AnyJob, token: string): Promise<unknown> {
    const chore = queue === "maintenance" ? setup.chores[job.name] : undefined;
    if (chore) return chore(job);
    const id = job.id as string;
    if (await isCancelled(job)) throw new UnrecoverableError(CANCELLED);
    const deadline = deadlineOf(job);
    const left = deadline === undefined ? undefined : deadline - Date.now();
    if (left !== undefined && left <= 0) throw new UnrecoverableError(DEADLINE);
    const controller = new AbortController();
    const alarm =
      left === undefined
        ? undefined
        : setTimeout(() => controller.abort(new Stop(DEADLINE)), Math.min(left, 2 ** 31 - 1));
    running.set(id, controller);
    const notes = jobNotes(job);
    try {
      const before = "root" in job.data ? await resultsBefore(job) : {};
      const task = { id, name: job.name, data: job.data, before };
      const answer = await setup.children[queue].run(task, controller.signal, notes.listeners);
      await notes.written();
      return answer;
    } catch (error) {
      await notes.written().catch(() => undefined);
      throw await failureOf(error, job, token);
    } finally {
      clearTimeout(alarm);
      running.delete(id);
    }
  }

  /** What BullMQ is to make of an attempt that went wrong. */
  async function failureOf(error: unknown, job: AnyJob, token: string): Promise<unknown> {
    if (error instanceof Stop && error.message === STOPPING) {
      await job.moveToWait(token); // no attempt: nothing went wrong with it
      return new WaitingError();
    }
    if (error instanceof Stop) return error.message === LOCK_LOST ? error : new UnrecoverableError(error.message);
    if (error instanceof JobFailure && error.final) return new UnrecoverableError(error.message);
    if (!(error instanceof ChildCrash)) return error;
    const crashes = (job.data.crashes ?? 0) + 1;
    log.error({ job: job.id, crashes, reason: error.message }, "a job has ended its process");
    await job.updateData({ ...job.data, crashes } as AnyJob["data"]);
    return crashes >= MAX_CRASHES ? new UnrecoverableError(`${error.message}, ${crashes} times`) : error;
  }

  /** After a job's end, well or not. What is lost here with the worker, the sweep finds. */
  async function settled(queue: WorkQueue, job: AnyJob, well: boolean): Promise<void> {
    finished.set(queue, (finished.get(queue) ?? 0) + 1);
    try {
      const dead = !well && isDeadLetter(job);
      if (dead) await keepDeadLetter(await setup.queues(), job);
      // a step's input is that of the steps after it, and what a dead letter is done again with
      else if (rootOf(job) === job.id) await Promise.all(filesOf(job.data).map((file) => setup.spool.remove(file)));
    } catch (error) {
      log.warn({ job: job.id, reason: messageOf(error) }, "a job's end could not be noted");
    }
  }

  async function isCancelled(job: AnyJob): Promise<boolean> {
    const { redis } = await setup.queues();
    return (await redis.exists(ownKey(prefix, "cancelled", rootOf(job)))) === 1;
  }

  const look = setInterval(() => void stopCancelled().catch(() => undefined), LOOK_MS);
  async function writeFinished(): Promise<void> {
    for (const [queue, count] of finished) {
      finished.delete(queue);
      await countFinished((await setup.queues()).redis, prefix, queue, count);
    }
  }

  async function stopCancelled(): Promise<void> {
    await writeFinished();
    const ids = [...running.keys()];
    if (ids.length === 0) return;
    const { redis } = await setup.queues();
    const marks = await redis.mget(ids.map((id) => ownKey(prefix, "cancelled", rootOfId(id))));
    for (const [at, id] of ids.entries()) {
      if (marks[at] !== null) running.get(id)?.abort(new Stop(CANCELLED));
    }
  }

  return {
    close: async () => {
      const closing = Promise.all(workers.map((worker) => worker.close())).then(() => true);
      const patience = setTimeout(() => {
        for (const controller of running.values()) controller.abort(new Stop(STOPPING));
      }, STOP_MS);
      const isClosed = await Promise.race([closing, untilAway(connection).then(() => false)]);
      clearTimeout(patience);
      clearInterval(look);
      if (isClosed)
        await writeFinished().catch(() => undefined); // a figure that nobody misses
      else log.warn("the queue's server is away: what is under way is left to another worker");
      await Promise.all(Object.values(setup.children).map((children) => children.close()));
    },
  };
}

function rootOf(job: AnyJob): string {
  return "root" in job.data ? job.data.root : (job.id as string);
}

/** The id that people know a job by: a step's is its training's. */
function rootOfId(id: string): string {
  return id.startsWith("t-") ? id.replace(/\.[a-z]+$/, "") : id;
}

/** What the steps before this one have answered, by their names. */
async function resultsBefore(job: AnyJob): Promise<Record<string, unknown>> {
  const values = await job.getChildrenValues();
  return Object.fromEntries(Object.values(values).map((value) => [(value as { step?: string }).step ?? "", value]));
}

/** Writes down what a job tells, in order and at no greater speed than the queue takes it. */
function jobNotes(job: Job) {
  let writing: Promise<unknown> = Promise.resolve();
  let progress: JobProgress | undefined;
  let failure: unknown;
  let total = 0;
  const inOrder = (write: () => Promise<unknown>) => {
    writing = writing.then(write).catch((error: unknown) => {
      failure = error;
    });
  };
  return {
    listeners: {
      onProgress: (now: JobProgress) => {
        const isFirst = progress === undefined;
        progress = now;
        // what comes while the last one is being written replaces it
        if (isFirst)
          inOrder(async () => {
            const latest = progress;
            progress = undefined;
            if (latest) await job.updateProgress(latest);
          });
      },
      onLog: (lines: string[]) => {
        inOrder(async () => {
          for (const line of lines) {
            if (total < LOG_LINES) total = await job.log(line.slice(0, MAX_LINE));
            if (total === LOG_LINES - 1) total = await job.log("(the log is full)");
          }
          // log lines are no events: progress is one, and tells those who watch that there is something new
          await job.updateProgress(job.progress);
        });
      },
    },
    written: async () => {
      await writing;
      if (failure) throw failure;
    },
  };
}

/** Resolves when a connection's server has been away for a while, or the connection is given up. */
async function untilAway(connection: Redis): Promise<void> {
  let since = performance.now();
  while (performance.now() - since < AWAY_MS) {
    await sleep(AWAY_LOOK_MS, undefined, { ref: false });
    if (connection.status === "ready") since = performance.now();
  }
}
