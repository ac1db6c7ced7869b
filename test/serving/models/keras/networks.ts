import { type ConvertedNetwork, convertNetwork } from "../../../../src/serving/models/keras/convert.ts";
import { parseKerasModel } from "../../../../src/serving/models/keras/description.ts";
import type { LayerWeights } from "../../../../src/serving/models/keras/graph.ts";

/** A layer of a description. */
export const layer = (class_name: string, config: Record<string, unknown> = {}) => ({
  class_name,
  config: { name: class_name.toLowerCase(), ...config },
});

/** The description of a Sequential network that takes rows of this shape. */
export const sequential = (shape: (number | null)[], ...layers: { config: Record<string, unknown> }[]) => ({
  class_name: "Sequential",
  config: { name: "s", layers: [layer("InputLayer", { name: "in", batch_shape: [null, ...shape] }), ...layers] },
});

/** A layer's arrays, all of them of eighths. */
export const weights = (name: string, shapes: Record<string, number[]>): LayerWeights => ({
  layer: name,
  tensors: Object.entries(shapes).map(([array, shape]) => ({
    name: array,
    shape,
    values: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, index) => (index % 8) / 8),
  })),
});

/** Converts a description with weights by layer. */
export function convert(description: unknown, layers: LayerWeights[] = [], version?: string): ConvertedNetwork {
  return convertNetwork(parseKerasModel(description, version), { layout: "by-layer", layers });
}
