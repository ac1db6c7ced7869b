import type { JobProgress } from "./records.ts";

/** What a job's process is asked to do. */
export interface ChildTask {
  /** Names the work: what is done once is keyed by it. */
  id: string;
  /** The name of the work, e.g. `predict`. */
  name: string;
  data: unknown;
  /** What the steps before it have left, by their names. */
  before: Record<string, unknown>;
}

/** From the worker to a job's process. */
export type ToChild = { run: ChildTask } | { cancel: string };

/** From a job's process to the worker. */
export type FromChild =
  | { ready: true }
  | { progress: JobProgress }
  | { log: string[] }
  | { done: unknown }
  /** `final`: no further attempt can succeed. */
  | { failed: { message: string; final: boolean } };
