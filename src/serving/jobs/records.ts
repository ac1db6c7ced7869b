import type { Digest } from "../../common/digest.ts";
import type { Prediction } from "../models/card.ts";
import type { ModelIdentity } from "../models/registry.ts";

/** The BullMQ queues that frontends and workers share: one for each thing that must not wait for another. */
export const queueNames = {
  predictions: "predictions",
  training: "training",
  /** What comes periodically, and the short steps that follow a training. */
  maintenance: "maintenance",
  /** Jobs that were given up. Nothing takes from it; people replay or delete. */
  deadLetters: "dead-letters",
} as const;

/** A queue that jobs are worked from. */
export type WorkQueue = "predictions" | "training" | "maintenance";

/** What users ask for. */
export type JobKind = "predict" | "train";

/** Which of the waiting jobs goes first. BullMQ takes lower numbers first, and 0 before all others. */
export const priorities = { high: 0, normal: 100, low: 10_000 } as const;
export type Priority = keyof typeof priorities;

/** What every job carries. Jobs of earlier releases lack it. */
export interface JobOrigin {
  /** Who asked: a token's name. */
  owner: string;
  /** Of what was asked: the same idempotency key with another request is a mistake. */
  request: Digest;
  priority: Priority;
  /** Seconds from when the job could begin; after that it is dropped. */
  deadlineS: number;
  /** How many of its attempts have ended their process. */
  crashes?: number;
}

/** Rows in a file of the spool: a CSV text as it came, or float32 numbers, row after row. */
export interface SpooledRows {
  file: string;
  format: "csv" | "f32";
}

/** A prediction job: the rows themselves, or where they lie. */
export interface PredictionJob extends Partial<JobOrigin> {
  rows?: number[][];
  spooled?: SpooledRows;
  /** The model's name; left out, the one that serves. */
  model?: string;
}

/** What a finished prediction job answers; the model is the one that served when the job ran. Many predictions are in a file. */
export interface PredictionResult {
  model: ModelIdentity;
  predictions?: Prediction[];
  rows: number;
  /** In the spool: a line of JSON for each row. */
  file?: string;
}

/** Steps of a training, each a job of its own. */
export const trainingSteps = ["train", "validate", "publish"] as const;
export type TrainingStep = (typeof trainingSteps)[number];

/** How far a job has come. */
export interface JobProgress {
  done: number;
  total?: number;
  [figure: string]: unknown;
}

/** Where a job is: `waiting` covers all that comes before work on it, also between two attempts. */
export type JobState = "waiting" | "active" | "completed" | "failed" | "cancelled";
export const jobStates: readonly JobState[] = ["waiting", "active", "completed", "failed", "cancelled"];

/** A step of a job that has several. */
export interface StepReport {
  step: string;
  state: JobState;
  progress?: JobProgress;
  reason?: string;
}

/** A job as `GET /v1/jobs/:id` tells it. Times are ISO 8601, UTC. */
export interface JobReport {
  id: string;
  kind: JobKind;
  state: JobState;
  owner?: string;
  created?: string;
  started?: string;
  finished?: string;
  progress?: JobProgress;
  /** Attempts that have begun. */
  attempts?: number;
  result?: unknown;
  /** Why it failed. */
  reason?: string;
  steps?: StepReport[];
}

/** Why a job ended that nobody gave up: no dead letter. */
export const CANCELLED = "cancelled";
export const DEADLINE = "deadline";

/** The queue that a job of this id is in. */
export function queueOfId(id: string): WorkQueue {
  if (/^t-.*\.train$/.test(id)) return "training";
  return /^[tm]-/.test(id) ? "maintenance" : "predictions";
}

/** The id of a training's step; the last step has the training's own. */
export function stepId(id: string, step: TrainingStep, last: TrainingStep): string {
  return step === last ? id : `${id}.${step}`;
}

/** When a job is dropped, in milliseconds since 1970; undefined for jobs without a deadline. */
export function deadlineOf(job: {
  timestamp: number;
  opts: { delay?: number };
  data: Partial<JobOrigin>;
}): number | undefined {
  const { deadlineS } = job.data;
  return deadlineS === undefined ? undefined : job.timestamp + (job.opts.delay ?? 0) + deadlineS * 1000;
}
