import { z } from "zod";
import type { Digest } from "../../common/digest.ts";
import { digestSchema } from "../../common/digest-schema.ts";
import type { ModelPackage } from "../models/package.ts";
import type { Metrics, Verdict } from "./gate.ts";
import { trainingSpecSchema } from "./spec.ts";

/**
 * A training as a queue carries it: JSON through and through. The specification is the user's; paths, digests and the trainers are the
 * host's, which resolves what the user names.
 */
export const trainRequestSchema = z.strictObject({
  spec: trainingSpecSchema,
  /** The training rows, a CSV file on this machine or its text. */
  data: z.union([z.strictObject({ path: z.string().min(1) }), z.strictObject({ text: z.string() })]),
  /** The model that the training goes on from: its digest and the folder where its package lies unpacked. */
  parent: z
    .strictObject({
      digest: digestSchema,
      folder: z.string().min(1),
    })
    .optional(),
});

/** A request whose defaults are filled in. */
export type TrainRequest = z.output<typeof trainRequestSchema>;

/** An external trainer as a host's administrator declares it. A request names it; it never brings a command. */
export const externalTrainerSchema = z.strictObject({
  /** The program and its arguments. No shell reads them. */
  command: z.array(z.string().min(1)).min(1),
  /** After this many seconds the trainer and all that it started is killed. */
  timeoutS: z
    .number()
    .int()
    .min(1)
    .max(7 * 24 * 3600)
    .default(3600),
  /** Variables of this process that the trainer gets beside those of the contract. */
  passEnvironment: z
    .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/))
    .max(100)
    .default([]),
});

export type ExternalTrainer = z.output<typeof externalTrainerSchema>;

/** After each epoch. Figures that a trainer does not have are left out. */
export interface EpochProgress {
  /** Finished epochs, from 1. */
  epoch: number;
  /** Planned epochs; an early stop ends before. */
  epochs: number;
  loss?: number;
  /** Share of rows in their class, 0 to 1; of classifiers only. */
  accuracy?: number;
  valLoss?: number;
  valAccuracy?: number;
  /** Since the training began. */
  elapsedMs: number;
}

/** One line of the training's log: no line breaks, at most {@link LOG_LINE_LENGTH} characters. */
export interface LogLine {
  /** ISO 8601, UTC. */
  time: string;
  /** The platform's own words, or the external trainer's streams. */
  source: "trainer" | "stdout" | "stderr";
  text: string;
}

/** A longer line is cut. */
export const LOG_LINE_LENGTH = 2000;

/** What a training tells while it runs, and what ends it. All callbacks are synchronous; what they throw ends the training. */
export interface TrainOptions {
  onProgress?: (progress: EpochProgress) => void;
  onLog?: (line: LogLine) => void;
  /** Ends the training within one batch (an external trainer: its whole process group), with the signal's reason as the error. */
  signal?: AbortSignal;
  /** The host's external trainers by name. */
  trainers?: Readonly<Record<string, ExternalTrainer>>;
}

/** A finished training. A gate that is not passed is a result, not an error: publishing is the caller's. */
export interface TrainResult {
  /** To be stored with `packageTar`; carries `training.json`. */
  package: ModelPackage;
  metrics: Metrics;
  verdict: Verdict;
  parent: Digest | undefined;
  /** How long it took. */
  seconds: number;
}
