import type { Digest } from "../../common/digest.ts";
import type { JobOrigin, PredictionJob, Priority, SpooledRows } from "./records.ts";

/** What all jobs may be asked with. */
export interface JobTerms {
  priority: Priority;
  /** Seconds from when the job can begin. */
  deadlineS: number;
  /** Seconds before it can begin. */
  delayS: number;
  /** Of the request as it came. */
  digest: Digest;
}

export interface PredictRequest extends JobTerms {
  kind: "predict";
  /** Checked rows, or where they lie. */
  rows?: number[][];
  spooled?: SpooledRows;
  model?: string;
}

/** What publishing a trained model needs to know. */
export interface PublishOrder {
  /** The model's name in the registry. */
  name: string;
}

export interface TrainJobRequest extends JobTerms {
  kind: "train";
  /** For the trainer, which checks it again. */
  training: unknown;
  /** The CSV file in the spool that it refers to. */
  spooled?: string;
  /** Left out, the training ends with its verdict. */
  publish?: PublishOrder;
}

/** A job as it is put into a queue. */
export type JobRequest = PredictRequest | TrainJobRequest;

/** What the steps of a training carry. */
export interface TrainingJob extends JobOrigin {
  training: unknown;
  publish?: PublishOrder;
  /** The CSV file in the spool. */
  spooled?: string;
  /** The training's own id. */
  root: string;
}

/** The files of the spool that a job begins with. */
export function filesOf(request: { spooled?: unknown }): string[] {
  const { spooled } = request;
  if (typeof spooled === "string") return [spooled];
  const file = (spooled as SpooledRows | undefined)?.file;
  return file === undefined ? [] : [file];
}

/** A request's job data for the predictions queue. */
export function predictionData(request: PredictRequest, owner: string): PredictionJob {
  const { rows, spooled, model } = request;
  return {
    ...originOf(request, owner),
    ...(rows && { rows }),
    ...(spooled && { spooled }),
    ...(model !== undefined && { model }),
  };
}

export function originOf({ digest, priority, deadlineS }: JobTerms, owner: string): JobOrigin {
  return { owner, request: digest, priority, deadlineS };
}
