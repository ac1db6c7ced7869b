import type { Breather } from "../mlp/breather.ts";
import { outputsFor } from "../mlp/evaluate.ts";
import { describeNetwork, layerOf } from "../mlp/keras-json.ts";
import { type Mlp, roundedToSingle } from "../mlp/network.ts";
import { type Scaling, scaled } from "./scaling.ts";

/** A network that takes rows as the data has them. */
export interface ServableNetwork {
  /** Comes before the network's first layer. */
  scaling: Scaling | undefined;
  network: Mlp;
}

/** The same in the numbers that single precision holds. */
export function singlePrecision({ scaling, network }: ServableNetwork): ServableNetwork {
  return { scaling, network: roundedToSingle(network) };
}

/** The outputs for rows as the data has them, in float64: independent of ONNX. */
export function servedOutputs(
  { scaling, network }: ServableNetwork,
  inputs: Float64Array,
  breather?: Breather,
): Promise<Float64Array> {
  const rows = inputs.length / network.features;
  return outputsFor(network, scaling ? scaled(inputs, scaling) : inputs, rows, breather);
}

/** The description in Keras' form, with the scaling as its Normalization layer. */
export function describeServable({ scaling, network }: ServableNetwork): Record<string, unknown> {
  const description = describeNetwork(network);
  if (scaling === undefined) return description;
  const { layers, ...config } = description.config as { layers: object[] };
  const normalization = layerOf("Normalization", {
    name: "normalization",
    axis: -1,
    mean: Array.from(scaling.means),
    variance: Array.from(scaling.deviations, (deviation) => deviation * deviation),
  });
  return { ...description, config: { ...config, layers: [layers[0], normalization, ...layers.slice(1)] } };
}
