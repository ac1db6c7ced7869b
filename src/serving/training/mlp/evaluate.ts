import type { Breather } from "./breather.ts";
import { type LossName, losses, lossValues } from "./losses.ts";
import type { Mlp } from "./network.ts";
import { CHUNK_ROWS, Passes } from "./passes.ts";
import type { Samples } from "./samples.ts";

/** A network's figures over some rows. */
export interface Evaluation {
  /** The mean over rows, weighted, without penalties. */
  loss: number;
  /** Of classifiers: the share of rows, or of their outputs where several are binary, that are right. */
  accuracy: number | undefined;
}

/** How right a row's outputs are, 0 to 1. */
type RowAccuracy = (outputs: Float64Array, at: number, targets: Float64Array, target: number, width: number) => number;

function largestAt(values: Float64Array, from: number, width: number): number {
  let best = 0;
  for (let i = 1; i < width; i++) if ((values[from + i] as number) > (values[from + best] as number)) best = i;
  return best;
}

/** What "right" means for the classifiers; a regression has no such measure. An output of exactly one half is class 0. */
export const rowAccuracies: Partial<Record<LossName, RowAccuracy>> = {
  binary_crossentropy: (outputs, at, targets, target, width) => {
    let right = 0;
    for (let i = 0; i < width; i++) {
      if ((outputs[at + i] as number) > 0.5 === (targets[target + i] as number) > 0.5) right++;
    }
    return right / width;
  },
  categorical_crossentropy: (outputs, at, targets, target, width) =>
    largestAt(outputs, at, width) === largestAt(targets, target, width) ? 1 : 0,
  sparse_categorical_crossentropy: (outputs, at, targets, target, width) =>
    largestAt(outputs, at, width) === targets[target] ? 1 : 0,
};

/** Computes the network over the rows and compares. */
export async function evaluate(
  network: Mlp,
  lossName: LossName,
  samples: Samples,
  breather?: Breather,
): Promise<Evaluation> {
  const passes = new Passes(network);
  const loss = losses[lossName];
  const accuracyOf = rowAccuracies[lossName];
  const { outputs: width } = network;
  let lossSum = 0;
  let right = 0;
  for (let from = 0; from < samples.count; from += CHUNK_ROWS) {
    await breather?.breathe();
    const rows = Math.min(CHUNK_ROWS, samples.count - from);
    const outputs = passes.forward(samples.inputs.subarray(from * samples.width), rows);
    const values = lossValues(loss, passes, outputs);
    for (let row = 0; row < rows; row++) {
      const target = (from + row) * samples.targetWidth;
      const weight = samples.weights?.[from + row] ?? 1;
      lossSum += weight * loss.value(values, row * width, samples.targets, target, width);
      if (accuracyOf) right += accuracyOf(outputs, row * width, samples.targets, target, width);
    }
  }
  return { loss: lossSum / samples.count, accuracy: accuracyOf && right / samples.count };
}

/** The network's outputs for the rows, row after row, in float64. */
export async function outputsFor(
  network: Mlp,
  inputs: Float64Array,
  rows: number,
  breather?: Breather,
): Promise<Float64Array> {
  const passes = new Passes(network);
  const all = new Float64Array(rows * network.outputs);
  for (let from = 0; from < rows; from += CHUNK_ROWS) {
    await breather?.breathe();
    const count = Math.min(CHUNK_ROWS, rows - from);
    const outputs = passes.forward(inputs.subarray(from * network.features), count);
    all.set(outputs.subarray(0, count * network.outputs), from * network.outputs);
  }
  return all;
}
