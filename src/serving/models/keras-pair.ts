import { SlipwayError } from "../../common/errors.ts";
import type { KerasLayer, KerasNetwork } from "./keras-network.ts";
import type { LayerWeights } from "./keras-weights.ts";

/** A layer with all that it needs to compute. */
export type TrainedLayer =
  | {
      kind: "dense";
      name: string;
      inputs: number;
      outputs: number;
      kernel: Float32Array;
      bias: Float32Array;
      activation: string;
    }
  | { kind: "activation"; name: string; activation: string };

/** A network that can compute. */
export interface TrainedNetwork {
  name: string;
  features: number;
  outputs: number;
  layers: TrainedLayer[];
}

type DenseLayer = Extract<KerasLayer, { kind: "dense" }>;

/**
 * Joins a description with weights, layer by layer.
 * @throws SlipwayError E_MODEL_MISMATCH when names, order, number or shapes do not fit
 */
export function pairNetwork(network: KerasNetwork, weights: LayerWeights[]): TrainedNetwork {
  const described = network.layers.filter((layer) => layer.kind === "dense").map(({ name }) => name);
  const stored = weights.map(({ layer }) => layer);
  if (described.join("\n") !== stored.join("\n")) {
    throw mismatch(`the description's layers are ${list(described)}, the weights are for ${list(stored)}`);
  }
  const first = weights[0];
  if (first === undefined) throw new SlipwayError("E_MODEL_INVALID", "the model has no layer with weights");
  const features = network.features ?? first.tensors[0]?.shape[0] ?? 0;
  const byName = new Map(weights.map((entry) => [entry.layer, entry]));
  let width = features;
  const layers = network.layers.map((layer) => {
    if (layer.kind === "activation") return layer;
    const trained = pairDense(layer, byName.get(layer.name) as LayerWeights, width);
    width = layer.units;
    return trained;
  });
  return { name: network.name, features, outputs: width, layers };
}

function pairDense(layer: DenseLayer, { tensors }: LayerWeights, inputs: number): TrainedLayer {
  const { name, units, useBias, activation } = layer;
  const expected = [{ name: "kernel", shape: [inputs, units] }, ...(useBias ? [{ name: "bias", shape: [units] }] : [])];
  const form = (list: { name: string; shape: number[] }[]) =>
    list.map((t) => `${t.name} ${t.shape.join("×")}`).join(", ");
  if (form(expected) !== form(tensors)) {
    throw mismatch(`layer ${name} needs ${form(expected)}; its weights are ${form(tensors)}`);
  }
  const [kernel, bias] = tensors.map(({ values }) => values);
  if (kernel === undefined) throw mismatch(`layer ${name} has no kernel`);
  return { kind: "dense", name, inputs, outputs: units, kernel, bias: bias ?? new Float32Array(units), activation };
}

function list(names: string[]): string {
  return names.length === 0 ? "none" : names.join(", ");
}

function mismatch(reason: string): SlipwayError {
  return new SlipwayError("E_MODEL_MISMATCH", reason, {
    hint: "Write the description and the weights from the same model, in one go.",
  });
}
