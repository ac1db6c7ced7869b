import { createHash, randomUUID } from "node:crypto";
import type { Job } from "bullmq";
import type { Redis, RedisOptions } from "ioredis";
import { type DeadLetterBox, deadLetterBox } from "./dead-letters.ts";
import { drainRate, retryAfter } from "./drain-rate.ts";
import { type JobEvents, openJobEvents } from "./events.ts";
import { jobIndex } from "./job-index.ts";
import { type QueueLoad, queueLoads } from "./queue-loads.ts";
import { type Keeping, openQueues, ownKey, type Queues } from "./queues.ts";
import { CANCELLED, type JobKind, type JobReport, type JobState, priorities, queueOfId } from "./records.ts";
import { findReport } from "./reports.ts";
import { filesOf, type JobRequest, predictionData } from "./requests.ts";
import { type JobSchedules, jobSchedules } from "./schedules.ts";
import type { Spool } from "./spool.ts";
import { addTraining, removeTraining, removeUntaken } from "./training-flow.ts";

/** What became of a request: the job, new or the one that the key already had; or why there is none. */
export type Submitted =
  | { job: JobReport; isNew: boolean }
  | { refused: "full"; retryAfterS: number }
  | { refused: "key-reused" };

/** Which jobs a list holds. */
interface JobListQuery {
  /** Left out, those of all owners. */
  owner?: string;
  state?: JobState;
  kind?: JobKind;
  /** Where an earlier page ended. */
  before?: string;
  limit: number;
}

interface JobList {
  jobs: JobReport[];
  /** Asks for what comes after these, if anything does. */
  next?: string;
}

/** Accepts jobs and tells what became of them. Methods reject while the queue's server is away. */
export interface JobQueue {
  /** Accepts a job; the same key of the same owner within a job's lifetime is the same job. */
  submit(request: JobRequest, owner: string, key?: string): Promise<Submitted>;
  find(id: string): Promise<JobReport | undefined>;
  list(query: JobListQuery): Promise<JobList>;
  /** Ends a job that has not ended: at once where it waits, within seconds where it is being worked on. Undefined for an unknown job. */
  cancel(id: string): Promise<JobReport | undefined>;
  /** Lines of a job's log from a place on, at most `count`, and how many there are altogether. */
  log(id: string, from: number, count?: number): Promise<{ lines: string[]; total: number }>;
  /** How many jobs there are in each state, in all queues. */
  depths(): Promise<Record<string, number>>;
  /** The same queue by queue, and how many workers take from each. */
  loads(): Promise<QueueLoad[]>;
  events: JobEvents;
  deadLetters: DeadLetterBox;
  schedules: JobSchedules;
  /** The queues themselves, for who shows them. */
  open(): Promise<Queues>;
  /** Where what jobs begin with and leave lies. */
  spool: Spool;
  close(): Promise<void>;
}

export interface JobQueueOptions extends Keeping {
  prefix: string;
  /** Jobs that wait in one queue. */
  waitingJobs: number;
  /** Where jobs' files lie. */
  spool: Spool;
  /** How to connect for listening to events, which begins when somebody wants them. */
  listen: () => Promise<RedisOptions>;
}

/** How many jobs a page of a list looks at to find those that it is to hold. */
const LOOKED_AT = 500;
const LOOK_STEP = 50;

/** The queue as a frontend uses it. The connection is closed with it. */
export function openJobQueue(connection: Redis, options: JobQueueOptions): JobQueue {
  const { prefix, waitingJobs } = options;
  let opened: Promise<Queues> | undefined;
  const queues = (): Promise<Queues> => {
    opened ??= openQueues(connection, prefix, options).catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
  const index = jobIndex(connection, prefix);
  const cancelledKey = (id: string) => ownKey(prefix, "cancelled", id);
  const find = async (id: string) => findReport(await queues(), id);
  const events = openJobEvents(prefix, options.listen);
  const deadLetters = deadLetterBox(queues);
  const schedules = jobSchedules(queues);

  async function waiting(open: Queues, kind: JobKind): Promise<number> {
    const queue = open.work[kind === "predict" ? "predictions" : "training"];
    const counts = await queue.getJobCounts("wait", "prioritized", "delayed");
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  }

  async function submit(request: JobRequest, owner: string, key?: string): Promise<Submitted> {
    const open = await queues();
    const id = newJobId(request.kind, owner, key);
    if (key !== undefined) {
      const sibling = newJobId(request.kind === "predict" ? "train" : "predict", owner, key);
      if ((await find(sibling)) !== undefined) return { refused: "key-reused" };
      const known = await knownJob(open, id, request);
      if (known) return known;
    }
    if ((await waiting(open, request.kind)) >= waitingJobs) {
      const queue = request.kind === "predict" ? "predictions" : "training";
      return { refused: "full", retryAfterS: retryAfter(await drainRate(connection, prefix, queue), waitingJobs) };
    }
    await index.add(id, owner); // before the job: one that cannot be listed would be lost to its owner
    if (request.kind === "train") await addTraining(open, id, request, owner);
    else {
      await open.work.predictions.add("predict", predictionData(request, owner), {
        jobId: id,
        priority: priorities[request.priority],
        delay: request.delayS * 1000,
      });
    }
    // with a key another request may have been faster
    const known = await knownJob(open, id, request);
    if (!known) throw new Error(`job ${id} was added and is not there`);
    if ("refused" in known) return known;
    const job = await open.work[queueOfId(id)].getJob(id);
    return { ...known, isNew: sameFiles(job, request) };
  }

  /** The job of this id, if there is one: or that its request was another. */
  async function knownJob(open: Queues, id: string, request: JobRequest): Promise<Submitted | undefined> {
    const report = await findReport(open, id);
    if (!report) return undefined;
    const job = (await open.work[queueOfId(id)].getJob(id)) as Job<{ request?: string }> | undefined;
    if (job?.data.request !== undefined && job.data.request !== request.digest) return { refused: "key-reused" };
    return { job: report, isNew: false };
  }

  async function cancel(id: string): Promise<JobReport | undefined> {
    const open = await queues();
    const report = await findReport(open, id);
    if (!report || isEnded(report.state)) return report;
    const { id: _, result: _result, steps: _steps, ...known } = report;
    const tombstone = JSON.stringify({
      ...known,
      state: "cancelled",
      reason: CANCELLED,
      finished: new Date().toISOString(),
    });
    // First the mark, by which a worker that takes the job right now drops it; then the job itself, unless a worker has it.
    await connection.set(cancelledKey(id), tombstone, "EX", options.keepFailedS);
    const files = report.kind === "train" ? await removeTraining(open, id) : await removeWaiting(open, id);
    await Promise.all(files.map((file) => options.spool.remove(file)));
    events.wake(id);
    return findReport(open, id);
  }

  async function list({ owner, state, kind, before, limit }: JobListQuery): Promise<JobList> {
    const open = await queues();
    const jobs: JobReport[] = [];
    let place = before;
    for (let looked = 0; looked < LOOKED_AT; ) {
      const { ids, more } = await index.page(owner, place, LOOK_STEP);
      const reports = await Promise.all(ids.map(({ id }) => findReport(open, id)));
      await index.remove(
        ids.filter((_, at) => reports[at] === undefined).map(({ at }) => at),
        owner,
      );
      for (const [at, report] of reports.entries()) {
        place = ids[at]?.at;
        looked++;
        if (!report || (state && report.state !== state) || (kind && report.kind !== kind)) continue;
        const { result: _, ...listed } = report;
        jobs.push(listed);
        if (jobs.length === limit) {
          const rest = more || at < ids.length - 1;
          return { jobs, ...(rest && place !== undefined && { next: place }) };
        }
      }
      if (!more) return { jobs };
    }
    return { jobs, ...(place !== undefined && { next: place }) };
  }

  async function log(id: string, from: number, count = 1000): Promise<{ lines: string[]; total: number }> {
    const open = await queues();
    const train = id.startsWith("t-") && !id.endsWith(".train") ? `${id}.train` : id;
    const { logs, count: total } = await open.work[queueOfId(train)].getJobLogs(train, from, from + count - 1);
    return { lines: logs, total };
  }

  async function depths(): Promise<Record<string, number>> {
    const { work, deadLetters: box } = await queues();
    const sums: Record<string, number> = { dead: await box.getWaitingCount() };
    for (const queue of Object.values(work)) {
      const counts = await queue.getJobCounts("waiting", "prioritized", "active", "delayed", "completed", "failed");
      for (const [state, count] of Object.entries(counts)) sums[state] = (sums[state] ?? 0) + count;
    }
    return sums;
  }

  async function loads(): Promise<QueueLoad[]> {
    return queueLoads((await queues()).work);
  }

  return {
    submit,
    find,
    depths,
    loads,
    list,
    cancel,
    log,
    events,
    deadLetters,
    schedules,
    spool: options.spool,
    open: queues,
    close: async () => {
      await events.close();
      await (await opened?.catch(() => undefined))?.close();
      connection.disconnect();
    },
  };
}

/** True for a job that nothing more happens to. */
export function isEnded(state: JobState): boolean {
  return state !== "waiting" && state !== "active";
}

/** The id of a new job: random, since whoever can guess one could read others' results; with a key the key's. */
function newJobId(kind: JobKind, owner: string, key: string | undefined): string {
  const prefix = kind === "predict" ? "p" : "t";
  if (key === undefined) return `${prefix}-${randomUUID()}`;
  // a caller's key is free text; BullMQ's ids are not
  const hash = createHash("sha256")
    .update(JSON.stringify([owner, key]))
    .digest("hex");
  return `${prefix}-key-${hash.slice(0, 32)}`;
}

/** Whether the job in the queue is the one that this request made: then its files are the job's. */
function sameFiles(job: Job | undefined, request: JobRequest): boolean {
  if (!job) return true; // done and removed meanwhile
  return filesOf(job.data as { spooled?: unknown }).join() === filesOf(request).join();
}

/** Removes a job unless a worker has it; answers the files that nobody needs any more. */
async function removeWaiting(open: Queues, id: string): Promise<string[]> {
  const job = await open.work[queueOfId(id)].getJob(id);
  return job ? removeUntaken(job) : [];
}
