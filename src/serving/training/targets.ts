import { invalid } from "./errors.ts";
import type { LossName } from "./mlp/losses.ts";
import type { Samples } from "./mlp/samples.ts";
import type { NetworkSpec } from "./spec.ts";

/**
 * Checks that the targets are such as the loss is defined for.
 * @param outputs of the network
 * @throws SlipwayError E_TRAINING_INVALID naming the row
 */
export function checkTargets(loss: LossName, { count, targets, targetWidth }: Samples, outputs: number): void {
  for (let row = 0; row < count; row++) {
    const values = targets.subarray(row * targetWidth, (row + 1) * targetWidth);
    const wrong = wrongTarget(loss, values, outputs);
    if (wrong !== undefined) throw invalid(`row ${row + 1} of the data: the target ${[...values].join(",")} ${wrong}`);
  }
}

function wrongTarget(loss: LossName, values: Float64Array, outputs: number): string | undefined {
  switch (loss) {
    case "binary_crossentropy":
      return values.every((value) => value >= 0 && value <= 1) ? undefined : "is not between 0 and 1";
    case "categorical_crossentropy": {
      const sum = values.reduce((total, value) => total + value, 0);
      return values.every((value) => value >= 0) && Math.abs(sum - 1) < 1e-3
        ? undefined
        : "is no distribution over the classes: one 1 and zeros";
    }
    case "sparse_categorical_crossentropy": {
      const [value] = values as unknown as [number];
      return Number.isInteger(value) && value >= 0 && value < outputs
        ? undefined
        : `is no class from 0 to ${outputs - 1}, which are the network's outputs`;
    }
    default:
      return undefined;
  }
}

/** The class that a row's target names. */
function classOf(loss: LossName, values: Float64Array): number {
  return loss === "categorical_crossentropy" ? values.indexOf(Math.max(...values)) : Math.round(values[0] as number);
}

/**
 * How much each row counts: its class's weight. "balanced" gives each class that occurs the same sum.
 * @throws SlipwayError E_TRAINING_INVALID where rows have no class
 */
export function classWeights(
  wanted: NetworkSpec["classWeights"],
  loss: LossName,
  { count, targets, targetWidth }: Samples,
): Float64Array | undefined {
  if (wanted === undefined) return undefined;
  const isMany = loss === "binary_crossentropy" && targetWidth > 1;
  if (isMany || loss === "mse" || loss === "mae") throw invalid("classWeights: the rows are of no one class");
  const classes = Array.from({ length: count }, (_, row) =>
    classOf(loss, targets.subarray(row * targetWidth, (row + 1) * targetWidth)),
  );
  if (wanted !== "balanced") return Float64Array.from(classes, (name) => wanted[name] ?? 1);
  const counts = new Map<number, number>();
  for (const name of classes) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Float64Array.from(classes, (name) => count / (counts.size * (counts.get(name) as number)));
}
