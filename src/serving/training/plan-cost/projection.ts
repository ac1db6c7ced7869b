import type { DenseLayer } from "../mlp/network.ts";
import { scalingOf } from "../network/scaling.ts";
import { principalComponents } from "./components.ts";
import { ENCODINGS, featureCount } from "./features.ts";

/** The name of the layer that reduces and scales the features; it is computed from the data and not trained. */
export const PROJECTION = "principal_components";

/**
 * A layer without activation that takes the features of nodes, replaces each of their encodings by its principal components, and
 * scales what comes out to mean 0 and deviation 1.
 * @param features row-major, as `planFeatures` describes nodes
 * @param encoding numbers of an encoding; the nodes' own are the first numbers of a row
 * @param fraction of the variance of the nodes' own encodings that is kept
 */
export function projectionLayer(features: Float64Array, encoding: number, fraction: number): DenseLayer {
  const inputs = featureCount(encoding);
  const rows = features.length / inputs;
  const own = new Float64Array(rows * encoding);
  for (let row = 0; row < rows; row++)
    own.set(features.subarray(row * inputs, row * inputs + encoding), row * encoding);
  const { count, values } = principalComponents(own, encoding, fraction);
  const outputs = featureCount(count);
  const kernel = new Float64Array(inputs * outputs);
  for (let block = 0; block < ENCODINGS; block++) {
    for (let i = 0; i < encoding; i++) {
      kernel.set(values.subarray(i * count, (i + 1) * count), (block * encoding + i) * outputs + block * count);
    }
  }
  for (let i = ENCODINGS * encoding, o = ENCODINGS * count; i < inputs; i++, o++) kernel[i * outputs + o] = 1;
  const layer = { kind: "dense" as const, name: PROJECTION, inputs, outputs, kernel, bias: undefined, l2: 0 };
  const { means, deviations } = scalingOf(project(layer, features), outputs);
  return {
    ...layer,
    kernel: kernel.map((weight, index) => Math.fround(weight / (deviations[index % outputs] as number))),
    bias: means.map((mean, o) => Math.fround(-mean / (deviations[o] as number))),
  };
}

/** The rows behind the layer. */
export function project({ inputs, outputs, kernel, bias }: DenseLayer, features: Float64Array): Float64Array {
  const rows = features.length / inputs;
  const projected = new Float64Array(rows * outputs);
  for (let row = 0; row < rows; row++) {
    const to = row * outputs;
    if (bias) projected.set(bias, to);
    for (let i = 0; i < inputs; i++) {
      const value = features[row * inputs + i] as number;
      if (value === 0) continue; // most of a one-hot encoding
      for (let o = 0; o < outputs; o++) {
        projected[to + o] = (projected[to + o] as number) + value * (kernel[i * outputs + o] as number);
      }
    }
  }
  return projected;
}
