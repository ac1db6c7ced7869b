import type { DenseLayer } from "../mlp/network.ts";

/** (x − mean) / deviation for each feature, in numbers that single precision holds exactly. */
export interface Scaling {
  means: Float64Array;
  deviations: Float64Array;
}

/** The scaling that gives these rows mean 0 and deviation 1; a feature that does not vary is only shifted. */
export function scalingOf(inputs: Float64Array, width: number): Scaling {
  const rows = inputs.length / width;
  const means = new Float64Array(width);
  const deviations = new Float64Array(width);
  for (let i = 0; i < inputs.length; i++)
    means[i % width] = (means[i % width] as number) + (inputs[i] as number) / rows;
  for (let i = 0; i < inputs.length; i++) {
    const distance = (inputs[i] as number) - (means[i % width] as number);
    deviations[i % width] = (deviations[i % width] as number) + (distance * distance) / rows;
  }
  return {
    means: means.map(Math.fround),
    deviations: deviations.map((variance, i) => {
      const deviation = Math.fround(Math.sqrt(variance));
      // below what rounding makes of a constant column
      return deviation > 1e-6 * Math.abs(means[i] as number) && deviation > 0 ? deviation : 1;
    }),
  };
}

/** The scaled rows. */
export function scaled(inputs: Float64Array, { means, deviations }: Scaling): Float64Array {
  const width = means.length;
  return inputs.map((value, i) => (value - (means[i % width] as number)) / (deviations[i % width] as number));
}

/** Scales nothing. */
export function noScaling(width: number): Scaling {
  return { means: new Float64Array(width), deviations: new Float64Array(width).fill(1) };
}

/** The first layer of a network behind scaling `from`, so changed that it computes the same behind scaling `to`. */
export function rescaledLayer(layer: DenseLayer, from: Scaling, to: Scaling): DenseLayer {
  const { inputs, outputs } = layer;
  const kernel = layer.kernel.slice();
  const bias = layer.bias?.slice() ?? new Float64Array(outputs);
  for (let i = 0; i < inputs; i++) {
    const scale = (to.deviations[i] as number) / (from.deviations[i] as number);
    const shift = ((to.means[i] as number) - (from.means[i] as number)) / (from.deviations[i] as number);
    for (let o = 0; o < outputs; o++) {
      const weight = kernel[i * outputs + o] as number;
      bias[o] = (bias[o] as number) + shift * weight;
      kernel[i * outputs + o] = weight * scale;
    }
  }
  return { ...layer, kernel, bias };
}
