import { z } from "zod";

const digest = z.templateLiteral([z.literal("sha256:"), z.string()]);
const metrics = z.record(z.string(), z.number());

/**
 * Where a trained model comes from: `training.json` of its package. Nothing of the run itself (times, machines): equal trainings make equal
 * packages.
 */
export const trainingRecordSchema = z.object({
  schemaVersion: z.literal(1),
  kind: z.enum(["network", "external", "plan-cost"]),
  /** The external trainer's name. */
  trainer: z.string().optional(),
  seed: z.number(),
  /** Of the whole data, before it was split. */
  dataDigest: digest,
  rows: z.object({ training: z.number(), validation: z.number(), holdOut: z.number() }),
  parent: digest.optional(),
  /** Epochs that were run; unknown of an external trainer that tells none. */
  epochs: z.number().optional(),
  /** The epoch whose weights these are. */
  epoch: z.number().optional(),
  /** Over the hold-out, or over the training rows where nothing was held out. */
  metrics,
  verdict: z.object({
    passed: z.boolean(),
    checks: z.array(
      z.object({
        metric: z.string(),
        value: z.number().optional(),
        bound: z.enum(["at least", "at most"]),
        limit: z.number().optional(),
        passed: z.boolean(),
      }),
    ),
  }),
  /** What an external trainer says of its model, unchecked. */
  reported: metrics.optional(),
  /** The hyper-parameters, all defaults filled in. */
  spec: z.record(z.string(), z.unknown()),
  /** Keras' description of what was trained in process, with its dropout and penalties. */
  network: z.record(z.string(), z.unknown()).optional(),
  /** What a trainer needs to train on, or a caller to read the model's numbers; see the kinds of training. */
  options: z.record(z.string(), z.unknown()).optional(),
});

export type TrainingRecord = z.output<typeof trainingRecordSchema>;

/** The text of `training.json`. */
export function recordText(record: TrainingRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}
