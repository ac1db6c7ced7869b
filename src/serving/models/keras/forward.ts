import type { TrainedNetwork } from "./convert.ts";
import type { KerasLayer, KerasModel, TensorRef } from "./graph.ts";
import { layerKinds } from "./kinds.ts";
import { optionsOf, type Row } from "./layer-kind.ts";
import type { PairedWeights } from "./weights/pair.ts";

/**
 * A row's outputs in float64 and without ONNX: what a conversion is compared with where a model is imported.
 * @param inputs for each input of the network the numbers of a row, row-major, taken as the float32 that they are served as
 * @returns undefined for a network with a layer, or an option of one, that only ONNX computes
 */
export function forward({ model, weights }: TrainedNetwork, inputs: Row[]): Row[] | undefined {
  return forwardModel(
    model,
    inputs.map((input) => ({ ...input, values: input.values.map(Math.fround) })),
    weights,
  );
}

function forwardModel(model: KerasModel, inputs: Row[], weights: PairedWeights): Row[] | undefined {
  const made = new Map<string, Row[]>();
  const key = ({ layer, call }: { layer: string; call: number }) => `${call}:${layer}`;
  for (const [index, ref] of model.inputs.entries()) made.set(key(ref), [inputs[index] as Row]);
  const rowOf = (ref: TensorRef) => made.get(key(ref))?.[ref.output];
  for (const { layer, call } of model.order) {
    const at = key({ layer: layer.name, call });
    if (made.has(at)) continue;
    const taken = (layer.calls[call] ?? []).map(rowOf);
    if (taken.some((row) => row === undefined)) return undefined;
    const result = forwardCall(layer, model, taken as Row[], weights);
    if (result === undefined) return undefined;
    made.set(at, result);
  }
  const outputs = model.outputs.map(rowOf);
  return outputs.some((row) => row === undefined) ? undefined : (outputs as Row[]);
}

function forwardCall(
  layer: KerasLayer,
  { generation }: KerasModel,
  inputs: Row[],
  weights: PairedWeights,
): Row[] | undefined {
  if (layer.model !== undefined) return forwardModel(layer.model, inputs, weights);
  const kind = layerKinds.get(layer.className);
  const [first] = inputs;
  if (kind?.forward === undefined || first === undefined) return undefined;
  const options = optionsOf(kind, layer.name, layer.config);
  const arrays = (weights.get(layer) ?? []).map(({ values }) => values);
  const row = kind.forward({ options: options, generation, weights: arrays }, first, inputs);
  return row && [row];
}
