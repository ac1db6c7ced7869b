import { invalid } from "../errors.ts";
import { type Samples, selectRows } from "../mlp/samples.ts";
import type { NumberTable } from "./csv.ts";

/** The columns of the table as features and targets. Throws SlipwayError E_TRAINING_INVALID where no feature is left. */
export function samplesOf({ rows, width, values }: NumberTable, targets: number): Samples {
  const features = width - targets;
  if (features < 1) {
    throw invalid(`the data has ${width} columns; ${targets} of them ${targets === 1 ? "is" : "are"} the target`);
  }
  const inputs = new Float64Array(rows * features);
  const truth = new Float64Array(rows * targets);
  for (let row = 0; row < rows; row++) {
    inputs.set(values.subarray(row * width, row * width + features), row * features);
    truth.set(values.subarray(row * width + features, (row + 1) * width), row * targets);
  }
  return { count: rows, width: features, inputs, targetWidth: targets, targets: truth, weights: undefined };
}

/** Some of a table's rows as they were. */
export function tableOf({ columns, width, values }: NumberTable, rows: Uint32Array): NumberTable {
  const whole = { count: rows.length, width, inputs: values, targetWidth: 0, targets: values, weights: undefined };
  return { columns, rows: rows.length, width, values: selectRows(whole, rows).inputs };
}
