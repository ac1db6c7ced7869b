import { z } from "zod";
import { messageOf } from "../../../common/errors.ts";
import { encodeOnnx, type OnnxGraph, type OnnxType, type OnnxValue } from "../onnx-writer.ts";
import { GraphBuilder, type Shape, type Value } from "./builder.ts";
import { invalid, unknown } from "./errors.ts";
import type { KerasLayer, KerasModel, TensorRef, WeightArray } from "./graph.ts";
import { layerKinds } from "./kinds.ts";
import { type AnyLayerKind, layerCall, optionsOf, type WeightName } from "./layer-kind.ts";
import { type PairedWeights, pairWeights } from "./weights/pair.ts";
import type { StoredWeights } from "./weights/stored.ts";

/** The tensor by which a network with one input, or one output, is called; several have their layers' names. */
const INPUT = "input";
const OUTPUT = "output";

/** A network as an ONNX file. */
export interface ConvertedNetwork {
  onnx: Uint8Array;
  inputs: OnnxValue[];
  /** With the activation that made them, where that tells how their numbers are meant. */
  outputs: (OnnxValue & { meaning: Value["meaning"] })[];
  /** The network with its weights, for computations without ONNX. */
  network: TrainedNetwork;
}

/** A description with the weights of each of its layers. */
export interface TrainedNetwork {
  model: KerasModel;
  weights: PairedWeights;
}

/**
 * Converts a network to ONNX: any number of rows go in and come out.
 * @param weights as a file holds them; of a network trained here: `{ layout: "by-layer", layers }`, the arrays by their names
 * @throws SlipwayError E_MODEL_LAYER_UNKNOWN naming a layer or option that is not converted, E_MODEL_MISMATCH for weights that are
 * not the description's, E_MODEL_INVALID for a description that cannot be
 */
export function convertNetwork(model: KerasModel, weights: StoredWeights): ConvertedNetwork {
  const paired = pairWeights(model, weights, weightNames);
  const graph = new GraphBuilder();
  const single = model.inputs.length === 1;
  const inputs = model.inputs.map((ref) => inputValue(model, ref, graph.reserve(single ? INPUT : ref.layer), paired));
  const names = outputNames(model, new Set(inputs.map(({ name }) => name)));
  for (const name of names) graph.reserve(name);
  const results = convertModel(
    model,
    inputs.map((input) => ({ tensor: input.name, shape: input.shape, type: input.type })),
    { graph, weights: paired, scope: "" },
  );
  const outputs = results.map((value, index) => {
    const name = names[index] as string;
    graph.rename(value.tensor, name);
    return { name, type: value.type, shape: value.shape, meaning: value.meaning };
  });
  const onnx = encoded(graph.graph({ name: model.name, inputs, outputs }));
  return { onnx, inputs, outputs, network: { model, weights: paired } };
}

function encoded(graph: OnnxGraph): Uint8Array {
  try {
    return encodeOnnx(graph);
  } catch (error) {
    // protobuf refuses what its types do not hold, such as half a character in a name
    throw invalid(`the network ${graph.name} cannot be written as ONNX: ${messageOf(error)}`, error);
  }
}

function outputNames(model: KerasModel, taken: ReadonlySet<string>): string[] {
  if (model.outputs.length === 1) return [OUTPUT];
  const used = new Set(taken);
  return model.outputs.map(({ layer, output }) => {
    let name = output === 0 ? layer : `${layer}:${output}`;
    for (let count = 2; used.has(name); count++) name = `${layer}#${count}`;
    used.add(name);
    return name;
  });
}

interface Context {
  graph: GraphBuilder;
  weights: PairedWeights;
  scope: string;
}

function convertModel(model: KerasModel, inputs: Value[], context: Context): Value[] {
  const made = new Map<string, Value[]>();
  const key = ({ layer, call }: { layer: string; call: number }) => `${call}:${layer}`;
  for (const [index, ref] of model.inputs.entries()) made.set(key(ref), [inputs[index] as Value]);
  const valueAt = (ref: TensorRef): Value => {
    const value = made.get(key(ref))?.[ref.output];
    if (value === undefined)
      throw invalid(`the model ${model.name} takes an output of layer ${ref.layer}, which there is not`);
    return value;
  };
  for (const { layer, call } of model.order) {
    if (made.has(key({ layer: layer.name, call }))) continue;
    if (layer.className === "InputLayer") continue; // one that is not among the inputs, and whose takers say so
    const taken = (layer.calls[call] ?? []).map(valueAt);
    made.set(key({ layer: layer.name, call }), convertCall(layer, model, taken, context));
  }
  return model.outputs.map(valueAt);
}

function convertCall(layer: KerasLayer, { generation }: KerasModel, inputs: Value[], context: Context): Value[] {
  const scope = context.scope === "" ? layer.name : `${context.scope}/${layer.name}`;
  if (layer.model !== undefined) {
    if (inputs.length !== layer.model.inputs.length) {
      throw invalid(`the model ${layer.name} takes ${layer.model.inputs.length} tensors and is given ${inputs.length}`);
    }
    return convertModel(layer.model, inputs, { ...context, scope });
  }
  const kind = kindOf(layer);
  const what = `layer ${layer.name} (${layer.className})`;
  const options = optionsOf(kind, what, layer.config);
  const call = layerCall(
    kind,
    { name: layer.name, className: layer.className, generation },
    context.graph,
    options,
    context.weights.get(layer) ?? [],
  );
  if (kind.inputs === "many" ? inputs.length < 1 : inputs.length !== 1) {
    throw call.refuse(`is called with ${inputs.length} tensors`);
  }
  const masked = inputs.some((input) => input.masked);
  if (masked && kind.mask === "counts") {
    throw call.refuse("would be told by a mask (of an Embedding with mask_zero) which steps to leave out");
  }
  context.graph.enter(scope);
  const taken = inputs.map((input) =>
    kind.takesIntegers || input.type === "FP32" ? input : asFloats(input, context.graph),
  );
  const result = kind.convert(call, taken[0] as Value, taken);
  requireServable(`the output of ${what}`, result.shape);
  return [{ ...result, masked: result.masked ?? (masked && kind.mask !== "ends") }];
}

/** Numbers of a row in one tensor: a gigabyte. A few digits in a description make a layer answer more than any machine holds. */
const MOST_NUMBERS = 2 ** 28;

function requireServable(what: string, shape: Shape): void {
  const numbers = shape.reduce((product: number, length) => product * (length ?? 1), 1);
  if (numbers > MOST_NUMBERS) throw invalid(`${what} has ${numbers} numbers a row`);
}

function asFloats(value: Value, graph: GraphBuilder): Value {
  return { ...value, type: "FP32", tensor: graph.add("Cast", [value.tensor], { to: 1 }) };
}

/** @throws SlipwayError E_MODEL_LAYER_UNKNOWN naming the layer */
function kindOf(layer: KerasLayer): AnyLayerKind {
  const kind = layerKinds.get(layer.className);
  if (kind === undefined) throw unknown(`layer ${layer.name} is a ${layer.className}, which Slipway cannot convert`);
  return kind;
}

/** The names of a layer's arrays, also by which it is known whether it has some. */
function weightNames(layer: KerasLayer, generation: KerasModel["generation"]): WeightName[] {
  if (layer.className === "InputLayer") return [];
  const kind = kindOf(layer);
  if (kind.weights === undefined) return [];
  return kind.weights(optionsOf(kind, `layer ${layer.name} (${layer.className})`, layer.config), generation);
}

const inputSchema = z.object({
  batch_shape: z.array(z.number().int().nullable()).min(1).nullish(),
  batch_input_shape: z.array(z.number().int().nullable()).min(1).nullish(),
  dtype: z.string().nullish(),
  sparse: z.literal(false).nullish(),
  ragged: z.literal(false).nullish(),
});
/** Keras' types of input by their ONNX type; what is computed is float32 whatever floats come in. */
const INPUT_TYPES: Readonly<Record<string, OnnxType>> = {
  float16: "FP32",
  bfloat16: "FP32",
  float32: "FP32",
  float64: "FP32",
  int32: "INT32",
  int64: "INT64",
  uint8: "UINT8",
};

/** What an input layer takes. */
function inputValue(model: KerasModel, ref: TensorRef, name: string, weights: PairedWeights): OnnxValue {
  const layer = model.layers.find((candidate) => candidate.name === ref.layer);
  if (layer?.className !== "InputLayer") throw invalid(`${ref.layer} is not an input layer of the model ${model.name}`);
  const config = inputSchema.safeParse(layer.config);
  if (!config.success) throw unknown(`the input ${layer.name} is sparse, ragged, or not as Keras describes it`);
  const type = INPUT_TYPES[config.data.dtype ?? "float32"];
  if (type === undefined)
    throw unknown(`the input ${layer.name} is of type ${config.data.dtype}, which is not converted`);
  const shape = (config.data.batch_shape ?? config.data.batch_input_shape)?.slice(1) ?? shapeByWeights(model, weights);
  if (shape.some((length) => length !== null && length <= 0))
    throw invalid(`the input ${layer.name} has an axis without length`);
  requireServable(`the input ${layer.name}`, shape);
  return { name, type, shape };
}

/** Where a Sequential network's description does not tell what it takes, its first layer's kernel does. */
function shapeByWeights({ name, layers }: KerasModel, weights: PairedWeights): Shape {
  const first = layers.find((layer) => layer.className !== "InputLayer");
  const kernel: WeightArray | undefined = first && weights.get(first)?.[0];
  if (first?.className === "Dense" && kernel?.shape[0] !== undefined) return [kernel.shape[0]];
  throw invalid(`the description of ${name} does not tell which rows it takes`);
}
