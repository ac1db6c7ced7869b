import type { Job } from "bullmq";
import { ownKey, type Queues } from "./queues.ts";
import {
  CANCELLED,
  DEADLINE,
  type JobKind,
  type JobOrigin,
  type PredictionJob,
  priorities,
  queueOfId,
  type WorkQueue,
} from "./records.ts";
import type { TrainingJob } from "./requests.ts";
import { addTraining } from "./training-flow.ts";

/** A job that was given up, as `GET /v1/dead-letters` tells it. */
interface DeadLetter {
  id: string;
  kind: JobKind;
  owner?: string;
  reason: string;
  attempts: number;
  /** When it was accepted, and when it was given up. */
  created: string;
  failed: string;
}

/** What is kept of it: enough to do it again from nothing. */
interface KeptLetter extends DeadLetter {
  data: PredictionJob | TrainingJob;
}

/** The jobs that were given up. */
export interface DeadLetterBox {
  /** Newest first. Of all owners unless one is named. */
  list(from: number, count: number, owner?: string): Promise<{ letters: DeadLetter[]; total: number }>;
  find(id: string): Promise<DeadLetter | undefined>;
  /** Puts the job back into its queue, under its own id and with all its attempts. False when there is no such letter. */
  replay(id: string): Promise<boolean>;
  /** Forgets the letter and the job. False when there is no such letter. */
  remove(id: string): Promise<boolean>;
}

const LOOKED_AT = 1000;

/** What BullMQ says of a job whose child failed: the child is what was given up. */
const failedWithChild = /^child \S+ failed$/;

/** True for a failed job that somebody might want to have done after all. */
export function isDeadLetter(job: { id?: string | undefined; failedReason?: string }): boolean {
  const reason = job.failedReason ?? "";
  if (job.id === undefined || job.id.includes(":")) return false; // one that comes by itself will come again
  return reason !== CANCELLED && reason !== DEADLINE && !failedWithChild.test(reason);
}

/** Keeps a job that was given up; once, however often it is told. */
export async function keepDeadLetter(queues: Queues, job: Job<PredictionJob | TrainingJob>): Promise<void> {
  const id = rootOf(job);
  const letter: KeptLetter = {
    id,
    kind: "root" in job.data ? "train" : "predict",
    ...(job.data.owner !== undefined && { owner: job.data.owner }),
    reason: job.failedReason ?? "unknown",
    attempts: job.attemptsStarted,
    created: new Date(job.timestamp).toISOString(),
    failed: new Date(job.finishedOn ?? Date.now()).toISOString(),
    data: job.data,
  };
  await queues.deadLetters.add(job.name, letter, { jobId: id });
}

function rootOf({ id, data }: Job<PredictionJob | TrainingJob>): string {
  return "root" in data ? data.root : (id as string);
}

/** Finds jobs that were given up while nobody could keep them: their worker died at that very moment. */
export async function keepMissedLetters(queues: Queues): Promise<number> {
  let kept = 0;
  for (const queue of Object.values(queues.work)) {
    for (const job of (await queue.getFailed(0, LOOKED_AT)) as Job<PredictionJob | TrainingJob>[]) {
      if (!job || !isDeadLetter(job) || (await queues.deadLetters.getJob(rootOf(job)))) continue;
      await keepDeadLetter(queues, job);
      kept++;
    }
  }
  return kept;
}

export function deadLetterBox(queues: () => Promise<Queues>): DeadLetterBox {
  const letterJob = async (id: string) =>
    (await (await queues()).deadLetters.getJob(id)) as Job<KeptLetter> | undefined;

  async function jobsOf(id: string): Promise<void> {
    const open = await queues();
    const job = await open.work[queueOfId(id)].getJob(id);
    if (job && (await job.isFailed())) await job.remove({ removeChildren: true });
  }

  return {
    list: async (from, count, owner) => {
      const { deadLetters } = await queues();
      if (owner === undefined) {
        const letters = (await deadLetters.getWaiting(from, from + count - 1)) as Job<KeptLetter>[];
        return { letters: letters.map(({ data }) => shown(data)), total: await deadLetters.getWaitingCount() };
      }
      const all = (await deadLetters.getWaiting(0, LOOKED_AT)) as Job<KeptLetter>[];
      const own = all.filter(({ data }) => data.owner === owner);
      return { letters: own.slice(from, from + count).map(({ data }) => shown(data)), total: own.length };
    },
    find: async (id) => {
      const job = await letterJob(id);
      return job && shown(job.data);
    },
    replay: async (id) => {
      const open = await queues();
      const letter = await letterJob(id);
      if (!letter) return false;
      await jobsOf(id);
      await open.redis.del(ownKey(open.prefix, "cancelled", id));
      await addAgain(open, id, letter.data.data);
      await letter.remove(); // last: whatever happens before, the letter can be replayed again
      return true;
    },
    remove: async (id) => {
      const letter = await letterJob(id);
      if (!letter) return false;
      await jobsOf(id);
      await letter.remove();
      return true;
    },
  };
}

function shown({ data: _, ...letter }: KeptLetter): DeadLetter {
  return letter;
}

/** Adds the job anew: fresh counts of attempts, stalls and crashes, and a fresh deadline. Nothing happens where it is there already. */
async function addAgain(open: Queues, id: string, kept: KeptLetter["data"]): Promise<void> {
  const { crashes: _, ...data } = kept;
  const priority = data.priority ?? "normal";
  if ("root" in data) {
    const { owner, request, deadlineS, training, publish, spooled } = data;
    const terms = { priority, deadlineS, delayS: 0, digest: request };
    const again = {
      kind: "train",
      training,
      ...terms,
      ...(publish && { publish }),
      ...(spooled && { spooled }),
    } as const;
    await addTraining(open, id, again, owner);
    return;
  }
  const queue: WorkQueue = "predictions";
  await open.work[queue].add("predict", data satisfies Partial<JobOrigin>, {
    jobId: id,
    priority: priorities[priority],
  });
}
