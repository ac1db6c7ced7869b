import type { FitOptions } from "../../../../src/serving/training/mlp/fit.ts";
import type { LossName } from "../../../../src/serving/training/mlp/losses.ts";
import { losses, lossPlace, lossValues } from "../../../../src/serving/training/mlp/losses.ts";
import type { Mlp } from "../../../../src/serving/training/mlp/network.ts";
import { CHUNK_ROWS, Passes } from "../../../../src/serving/training/mlp/passes.ts";
import type { Samples } from "../../../../src/serving/training/mlp/samples.ts";

/** Options of a plain training. */
export const plain: FitOptions = {
  loss: "mse",
  optimizer: { name: "adam", learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 },
  epochs: 5,
  batchSize: 10,
  seed: 1,
  shuffle: true,
  earlyStopping: undefined,
};

export function samplesOf(inputs: number[][], targets: number[][], weights?: number[]): Samples {
  return {
    count: inputs.length,
    width: inputs[0]?.length ?? 0,
    inputs: Float64Array.from(inputs.flat()),
    targetWidth: targets[0]?.length ?? 0,
    targets: Float64Array.from(targets.flat()),
    weights: weights && Float64Array.from(weights),
  };
}

/** A loss over rows that fit into one chunk, with its gradient by the parameters of a network without dropout. */
export function lossAndGradient(
  network: Mlp,
  name: LossName,
  samples: Samples,
): { loss: number; gradient: Float64Array } {
  if (samples.count > CHUNK_ROWS) throw new Error("too many rows for one chunk");
  const passes = new Passes(network);
  const loss = losses[name];
  const outputs = passes.forward(samples.inputs, samples.count);
  const values = lossValues(loss, passes, outputs);
  let sum = 0;
  for (let row = 0; row < samples.count; row++) {
    const [at, target] = [row * network.outputs, row * samples.targetWidth];
    sum += loss.value(values, at, samples.targets, target, network.outputs) / samples.count;
    const derivative = passes.derivativeAt(lossPlace(loss));
    loss.derive(values, at, samples.targets, target, network.outputs, 1 / samples.count, derivative);
  }
  passes.backward(samples.count, lossPlace(loss));
  const penalty = passes.penalize();
  return { loss: sum + penalty, gradient: passes.gradient };
}
