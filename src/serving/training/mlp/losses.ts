import type { Passes } from "./passes.ts";

/** A loss by Keras' name. */
export type LossName =
  | "binary_crossentropy"
  | "categorical_crossentropy"
  | "sparse_categorical_crossentropy"
  | "mse"
  | "mae";

/** A loss of rows, and its derivative. */
export interface Loss {
  /** The activation that the network must end with, with which the loss is computed at once; undefined where any will do. */
  activation: "sigmoid" | "softmax" | undefined;
  /** Numbers of a row's target for a network with this many outputs. */
  targetWidth(outputs: number): number;
  /** A row's loss. `at` and `target` are where the row begins; `values` are logits for a loss with an activation, else outputs. */
  value(values: Float64Array, at: number, targets: Float64Array, target: number, width: number): number;
  /** Writes the loss's derivative by `values`, times `scale`. */
  derive(
    values: Float64Array,
    at: number,
    targets: Float64Array,
    target: number,
    width: number,
    scale: number,
    derivative: Float64Array,
  ): void;
}

const same = (outputs: number) => outputs;

/** ln Σ eᶻ of a row, without overflow. */
function logSumExp(z: Float64Array, at: number, width: number): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = at; i < at + width; i++) largest = Math.max(largest, z[i] as number);
  let sum = 0;
  for (let i = at; i < at + width; i++) sum += Math.exp((z[i] as number) - largest);
  return largest + Math.log(sum);
}

const binaryCrossEntropy: Loss = {
  activation: "sigmoid",
  targetWidth: same,
  value: (z, at, targets, target, width) => {
    let sum = 0;
    for (let i = 0; i < width; i++) {
      const logit = z[at + i] as number;
      sum += Math.max(logit, 0) - logit * (targets[target + i] as number) + Math.log1p(Math.exp(-Math.abs(logit)));
    }
    return sum / width;
  },
  derive: (z, at, targets, target, width, scale, derivative) => {
    for (let i = 0; i < width; i++) {
      const probability = 1 / (1 + Math.exp(-(z[at + i] as number)));
      derivative[at + i] = ((probability - (targets[target + i] as number)) * scale) / width;
    }
  },
};

const categoricalCrossEntropy: Loss = {
  activation: "softmax",
  targetWidth: same,
  value: (z, at, targets, target, width) => {
    const total = logSumExp(z, at, width);
    let sum = 0;
    for (let i = 0; i < width; i++) sum += (targets[target + i] as number) * (total - (z[at + i] as number));
    return sum;
  },
  derive: (z, at, targets, target, width, scale, derivative) => {
    const total = logSumExp(z, at, width);
    let mass = 0;
    for (let i = 0; i < width; i++) mass += targets[target + i] as number;
    for (let i = 0; i < width; i++) {
      const probability = Math.exp((z[at + i] as number) - total);
      derivative[at + i] = (mass * probability - (targets[target + i] as number)) * scale;
    }
  },
};

const sparseCategoricalCrossEntropy: Loss = {
  activation: "softmax",
  targetWidth: () => 1,
  value: (z, at, targets, target, width) => {
    return logSumExp(z, at, width) - (z[at + (targets[target] as number)] as number);
  },
  derive: (z, at, targets, target, width, scale, derivative) => {
    const total = logSumExp(z, at, width);
    const truth = targets[target] as number;
    for (let i = 0; i < width; i++) {
      derivative[at + i] = (Math.exp((z[at + i] as number) - total) - (i === truth ? 1 : 0)) * scale;
    }
  },
};

/** The mean over a row's outputs of f(output − target). */
function regression(value: (error: number) => number, slope: (error: number) => number): Loss {
  return {
    activation: undefined,
    targetWidth: same,
    value: (y, at, targets, target, width) => {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += value((y[at + i] as number) - (targets[target + i] as number));
      return sum / width;
    },
    derive: (y, at, targets, target, width, scale, derivative) => {
      for (let i = 0; i < width; i++) {
        derivative[at + i] = (slope((y[at + i] as number) - (targets[target + i] as number)) * scale) / width;
      }
    },
  };
}

export const losses: Record<LossName, Loss> = {
  binary_crossentropy: binaryCrossEntropy,
  categorical_crossentropy: categoricalCrossEntropy,
  sparse_categorical_crossentropy: sparseCategoricalCrossEntropy,
  mse: regression(
    (error) => error * error,
    (error) => 2 * error,
  ),
  mae: regression(Math.abs, Math.sign),
};

/** Of what a loss is a function: see {@link Loss.value}. */
export function lossPlace({ activation }: Loss): "outputs" | "logits" {
  return activation === undefined ? "outputs" : "logits";
}

/** The values of the last forward pass that the loss is a function of. */
export function lossValues(loss: Loss, passes: Passes, outputs: Float64Array): Float64Array {
  return lossPlace(loss) === "outputs" ? outputs : passes.beforeLast();
}
