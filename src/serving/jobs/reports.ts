import type { Job } from "bullmq";
import { ownKey, type Queues } from "./queues.ts";
import {
  DEADLINE,
  deadlineOf,
  type JobOrigin,
  type JobProgress,
  type JobReport,
  type JobState,
  queueOfId,
  type StepReport,
  stepId,
  type TrainingStep,
} from "./records.ts";
import type { TrainingJob } from "./requests.ts";
import { stepsOf } from "./training-flow.ts";

/** What is known of a job; undefined when it is unknown, or was kept long enough. */
export async function findReport(queues: Queues, id: string): Promise<JobReport | undefined> {
  const queue = queues.work[queueOfId(id)];
  const [cancelled, state, job] = await Promise.all([
    queues.redis.get(ownKey(queues.prefix, "cancelled", id)),
    queue.getJobState(id), // asked for before the job itself: a completed one has its result
    queue.getJob(id) as Promise<Job<Partial<JobOrigin>> | undefined>,
  ]);
  // a job that was completed before its cancel was seen is completed
  if (cancelled !== null && !(job && state === "completed")) {
    return { id, ...(JSON.parse(cancelled) as Omit<JobReport, "id">) };
  }
  if (!job) return undefined;
  return id.startsWith("t-") && "training" in job.data
    ? trainingReport(queues, job as unknown as Job<TrainingJob>, state)
    : reportOf(job, state);
}

function reportOf(job: Job<Partial<JobOrigin>>, bullState: string): JobReport {
  const { state, reason } = outcomeOf(job, bullState);
  return {
    id: job.id as string,
    kind: job.id?.startsWith("t-") ? "train" : "predict",
    state,
    ...timesOf(job),
    ...(job.data.owner !== undefined && { owner: job.data.owner }),
    ...progressOf(job),
    attempts: job.attemptsStarted,
    ...(reason !== undefined && { reason }),
    ...(state === "completed" && { result: job.returnvalue as unknown }),
  };
}

/** A job's state in the words of the interface, and why it failed. */
function outcomeOf(job: Job<Partial<JobOrigin>>, bullState: string): { state: JobState; reason?: string } {
  if (bullState === "completed") return { state: "completed" };
  if (bullState === "failed") return { state: "failed", reason: job.failedReason };
  if (bullState === "active") return { state: "active" };
  const deadline = deadlineOf(job);
  // whoever takes it will drop it
  if (deadline !== undefined && Date.now() > deadline) return { state: "failed", reason: DEADLINE };
  return { state: "waiting" }; // "delayed", too: before its time, or before another attempt
}

function timesOf({ timestamp, processedOn, finishedOn }: Job): Pick<JobReport, "created" | "started" | "finished"> {
  return {
    created: new Date(timestamp).toISOString(),
    ...(processedOn && { started: new Date(processedOn).toISOString() }),
    ...(finishedOn && { finished: new Date(finishedOn).toISOString() }),
  };
}

function progressOf(job: Job): { progress?: JobProgress } {
  const progress = job.progress as unknown;
  return typeof progress === "object" && progress !== null ? { progress: progress as JobProgress } : {};
}

/** A training with its steps: where it is, and why it failed, is what its steps say. */
async function trainingReport(queues: Queues, root: Job<TrainingJob>, rootState: string): Promise<JobReport> {
  const id = root.id as string;
  const steps = stepsOf(root.data);
  const last = steps.at(-1) as TrainingStep;
  const reports: StepReport[] = await Promise.all(
    steps.map(async (step) => {
      const queue = queues.work[queueOfId(stepId(id, step, last))];
      const state = step === last ? rootState : await queue.getJobState(stepId(id, step, last));
      const job = step === last ? root : ((await queue.getJob(stepId(id, step, last))) as Job<TrainingJob> | undefined);
      // one that is no more was done long before the others
      return job ? { step, ...outcomeOf(job, state), ...progressOf(job) } : { step, state: "completed" };
    }),
  );
  const failed = reports.find(({ state }) => state === "failed");
  const begun = reports.some(({ state }) => state === "active" || state === "completed");
  const state: JobState = rootState === "completed" ? "completed" : failed ? "failed" : begun ? "active" : "waiting";
  const current = reports.find((step) => step.state === "active") ?? reports.find(({ progress }) => progress);
  const train = last === "train" ? root : await queues.work.training.getJob(stepId(id, "train", last));
  return {
    ...reportOf(root as unknown as Job<Partial<JobOrigin>>, rootState),
    state,
    ...(train?.processedOn && { started: new Date(train.processedOn).toISOString() }),
    ...(current?.progress && { progress: current.progress }),
    ...(train && { attempts: train.attemptsStarted }),
    ...(state === "failed" && failed?.reason !== undefined ? { reason: failed.reason } : {}),
    // a step that fails takes those after it along: theirs is no reason of its own
    steps: reports.map((step) =>
      failed && step !== failed && step.state === "failed" ? { ...step, state: "waiting" } : step,
    ),
  };
}
