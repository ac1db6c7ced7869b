/** Rows with their targets, both row-major. */
export interface Samples {
  count: number;
  /** Numbers of a row. */
  width: number;
  inputs: Float64Array;
  /** Numbers of a row's target. */
  targetWidth: number;
  targets: Float64Array;
  /** How much each row's loss counts; undefined where all count 1. */
  weights: Float64Array | undefined;
}

/** The rows with these numbers, in this order. */
export function selectRows(samples: Samples, rows: Uint32Array): Samples {
  const { width, targetWidth, weights } = samples;
  return {
    count: rows.length,
    width,
    inputs: gather(samples.inputs, width, rows),
    targetWidth,
    targets: gather(samples.targets, targetWidth, rows),
    weights: weights && gather(weights, 1, rows),
  };
}

function gather(values: Float64Array, width: number, rows: Uint32Array): Float64Array {
  const found = new Float64Array(rows.length * width);
  rows.forEach((row, index) => {
    found.set(values.subarray(row * width, (row + 1) * width), index * width);
  });
  return found;
}

/** The numbers 0 to `count` − 1. */
export function rowNumbers(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, row) => row);
}
