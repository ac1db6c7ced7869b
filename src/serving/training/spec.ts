import { z } from "zod";
import { gateSchema } from "./gate.ts";
import type { LossName } from "./mlp/losses.ts";

const fraction = z.number().min(0).max(0.9);
const count = z.number().int().positive();

/** What all trainings share. */
const common = {
  /** Columns at the end of each CSV row that are the target: one, unless the network has several outputs that are no classes. */
  targets: count.max(1000).default(1),
  /** Everything random comes from it: initial weights, order of rows, dropout, splits. The same seed gives the same weights. */
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .default(1),
  /** The share of rows, chosen by the seed, that no trainer sees and the gate judges by; 0 judges by the training rows. */
  holdOut: fraction.default(0.1),
  /** What the model must reach before it is published. */
  gate: gateSchema.default({ betterThanParent: false }),
};

const lossNames: readonly [LossName, ...LossName[]] = [
  "binary_crossentropy",
  "categorical_crossentropy",
  "sparse_categorical_crossentropy",
  "mse",
  "mae",
];

const rate = z.number().positive().max(10);
const decay = z.number().min(0).lt(1);

/** The update rules are Keras': see docs/reference/training.md. */
export const optimizerSchema = z.discriminatedUnion("name", [
  z.strictObject({
    name: z.literal("adam"),
    learningRate: rate.default(0.001),
    beta1: decay.default(0.9),
    beta2: decay.default(0.999),
    epsilon: z.number().positive().max(1).default(1e-7),
  }),
  z.strictObject({
    name: z.literal("sgd"),
    learningRate: rate.default(0.01),
    momentum: decay.default(0),
    nesterov: z.boolean().default(false),
  }),
  z.strictObject({
    name: z.literal("rmsprop"),
    learningRate: rate.default(0.001),
    rho: decay.default(0.9),
    momentum: decay.default(0),
    epsilon: z.number().positive().max(1).default(1e-7),
  }),
]);

/** How any network is trained in process. */
const fitting = {
  epochs: count.max(100_000).default(150),
  batchSize: count.max(8192).default(32),
  optimizer: optimizerSchema.default({ name: "adam", learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 }),
  /** The share of the training rows, chosen by the seed, that each epoch is validated on. */
  validationSplit: fraction.default(0),
  /** Ends the training when the validation loss, or without validation the loss, stops falling. */
  earlyStopping: z
    .strictObject({
      /** Epochs without an improvement before the end. */
      patience: z.number().int().min(0).max(100_000).default(10),
      /** A smaller fall of the loss is no improvement. */
      minDelta: z.number().nonnegative().default(0),
      /** Keep the weights of the best epoch instead of the last one's. */
      restoreBest: z.boolean().default(true),
    })
    .optional(),
  /** Whether each epoch takes the rows in another order. */
  shuffle: z.boolean().default(true),
  /** Adds l2 · Σ w² over all kernels to the loss, beside the layers' own `kernel_regularizer`. */
  l2: z.number().nonnegative().max(100).default(0),
};

/** A Keras Sequential network that is trained in process. */
const networkSpec = z.strictObject({
  kind: z.literal("network"),
  ...common,
  ...fitting,
  /** Keras' `model.to_json()`: Sequential of Dense, Activation and Dropout. Left out, the parent's network is trained on. */
  network: z.record(z.string(), z.unknown()).optional(),
  loss: z.enum(lossNames),
  /** Scales each feature to mean 0 and deviation 1; becomes part of the network, which takes raw rows. */
  standardize: z.boolean().default(false),
  /** How much a row of a class counts: by class, or so that all classes count the same. */
  classWeights: z.union([z.literal("balanced"), z.record(z.string().regex(/^\d+$/), z.number().positive())]).optional(),
});

/** A network that one of the host's external trainers trains. */
const externalSpec = z.strictObject({
  kind: z.literal("external"),
  ...common,
  /** The name under which the host knows it. */
  trainer: z.string().min(1).max(100),
  /** What the outputs are: decides how the gate measures. */
  task: z.enum(["binary", "classes", "values"]),
  /** The trainer's own hyper-parameters, passed on as they are. */
  parameters: z.record(z.string(), z.json()).default({}),
});

/** openGauss' plan-cost model; the options are the `/configure` route's. */
const planCostSpec = z.strictObject({
  kind: z.literal("plan-cost"),
  seed: common.seed,
  gate: common.gate,
  validationSplit: fitting.validationSplit,
  earlyStopping: fitting.earlyStopping,
  /** A set of S (startup time), T (total time), R (rows), M (peak memory). */
  labels: z
    .string()
    .regex(/^[STRM]{1,4}$/, "a set of S, T, R and M")
    .refine((labels) => new Set(labels).size === labels.length, "names a label twice"),
  maxEpoch: count.max(100_000).default(500),
  learningRate: rate.default(1),
  hiddenUnits: count.max(4096).default(50),
  batchSize: count.max(100_000).default(500),
  /** The share of the features' variance that principal components keep; −1 for none. */
  dimRed: z.union([z.literal(-1), z.number().gt(0).max(1)]).default(-1),
});

/** What a user asks for. `docs/reference/training.md` lists every field; a test holds it to this. */
export const trainingSpecSchema = z.discriminatedUnion("kind", [networkSpec, externalSpec, planCostSpec]);

export type NetworkSpec = z.output<typeof networkSpec>;
export type ExternalSpec = z.output<typeof externalSpec>;
export type PlanCostSpec = z.output<typeof planCostSpec>;
