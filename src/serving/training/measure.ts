import type { Metrics } from "./gate.ts";
import { rowAccuracies } from "./mlp/evaluate.ts";
import type { LossName } from "./mlp/losses.ts";

/** Rows' outputs beside the truth, both row-major. */
export interface Judged {
  outputs: Float64Array;
  /** Numbers of a row's output. */
  width: number;
  targets: Float64Array;
  targetWidth: number;
}

/** Keras' bound: no probability is taken for nearer to 0 or 1. */
const EPSILON = 1e-7;

/** Added to both sides of a ratio, in the targets' own unit: openGauss' 1/max on numbers that are divided by max. */
const RATIO_EPSILON = 1;

/**
 * A model's figures over some rows, from its outputs alone: `loss`, for classifiers `accuracy`, for regressions of numbers that are
 * never negative `meanRatioError` and `maxRatioError`. The loss of a classifier whose outputs are no probabilities is left out.
 */
export function measure(loss: LossName, judged: Judged): Metrics {
  const rows = judged.targets.length / judged.targetWidth;
  const lossSum = sumOver(judged, rows, rowLosses[loss]);
  const accuracyOf = rowAccuracies[loss];
  return {
    rows,
    ...(Number.isFinite(lossSum) && { loss: lossSum / rows }),
    ...(accuracyOf && { accuracy: sumOver(judged, rows, accuracyOf) / rows }),
    ...(!accuracyOf && ratioErrors(judged)),
  };
}

type RowMeasure = (outputs: Float64Array, at: number, targets: Float64Array, target: number, width: number) => number;

function sumOver({ outputs, width, targets, targetWidth }: Judged, rows: number, measureRow: RowMeasure): number {
  let sum = 0;
  for (let row = 0; row < rows; row++) sum += measureRow(outputs, row * width, targets, row * targetWidth, width);
  return sum;
}

/** −ln of a probability; NaN for what is none. */
function surprise(probability: number): number {
  if (!(probability > -1e-3 && probability < 1 + 1e-3)) return Number.NaN;
  return -Math.log(Math.min(Math.max(probability, EPSILON), 1 - EPSILON));
}

/** The mean over the outputs of f(output, target). */
const meanOf =
  (value: (output: number, target: number) => number): RowMeasure =>
  (outputs, at, targets, target, width) => {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += value(outputs[at + i] as number, targets[target + i] as number);
    return sum / width;
  };

const rowLosses: Record<LossName, RowMeasure> = {
  binary_crossentropy: meanOf((p, t) => t * surprise(p) + (1 - t) * surprise(1 - p)),
  categorical_crossentropy: (outputs, at, targets, target, width) => {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += (targets[target + i] as number) * surprise(outputs[at + i] as number);
    return sum;
  },
  sparse_categorical_crossentropy: (outputs, at, targets, target) =>
    surprise(outputs[at + (targets[target] as number)] as number),
  mse: meanOf((p, t) => (p - t) * (p - t)),
  mae: meanOf((p, t) => Math.abs(p - t)),
};

/** max((p+ε)/(t+ε), (t+ε)/(p+ε)) with ε = 1; a prediction below 0 counts as 0. */
export function ratioError(prediction: number, truth: number): number {
  const [p, t] = [Math.max(prediction, 0) + RATIO_EPSILON, truth + RATIO_EPSILON];
  return Math.max(p / t, t / p);
}

function ratioErrors({ outputs, targets }: Judged): Metrics {
  if (targets.some((target) => target < 0)) return {};
  let sum = 0;
  let largest = 1;
  for (let i = 0; i < targets.length; i++) {
    const error = ratioError(outputs[i] as number, targets[i] as number);
    sum += error;
    largest = Math.max(largest, error);
  }
  return { meanRatioError: sum / targets.length, maxRatioError: largest };
}
