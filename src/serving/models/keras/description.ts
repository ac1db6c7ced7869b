import { z } from "zod";
import { invalid, unknown } from "./errors.ts";
import type { Generation, KerasLayer, KerasModel, TensorRef } from "./graph.ts";
import { requireModest } from "./json.ts";
import { callOrder, withCallNumbers } from "./order.ts";

/** More than any network that one machine serves has: a description beyond it is no model. */
const MOST_LAYERS = 20_000;
const DEEPEST_NESTING = 16;

const record = z.record(z.string(), z.unknown());
const layerSchema = z.object({
  class_name: z.string(),
  // the oldest files hold a Sequential's bare list of layers
  config: z.union([record, z.array(z.unknown()).transform((layers): Record<string, unknown> => ({ layers }))]),
  module: z.string().nullish(),
  registered_name: z.string().nullish(),
  name: z.string().optional(),
  inbound_nodes: z.array(z.unknown()).default([]),
  build_config: record.nullish(),
});
const shapeSchema = z.array(z.number().int().nullable());
const nodeSchema = z.object({ args: z.array(z.unknown()), kwargs: record.default({}) });
const kerasTensorSchema = z.object({
  class_name: z.literal("__keras_tensor__"),
  config: z.object({ keras_history: z.tuple([z.string(), z.number().int().min(0), z.number().int().min(0)]) }),
});

type RawLayer = z.infer<typeof layerSchema>;

/**
 * Reads Keras' description of a network: the content of `model.json`, of `config.json` in a `.keras` file, or of an HDF5 file's
 * `model_config`.
 * @param version the version of Keras that wrote the file, where the file tells it elsewhere than in the description
 * @throws SlipwayError E_MODEL_LAYER_UNKNOWN naming a layer of somebody's own; E_MODEL_INVALID for what is no such description
 */
export function parseKerasModel(description: unknown, version?: string): KerasModel {
  requireModest("the model's description", description);
  const raw = checked(layerSchema, description, "the model's description");
  if (!isModel(raw)) throw unknown(`the model is a ${label(raw)}, neither a Sequential nor a functional one`);
  return parseModel(raw, generationOf(description, version), { depth: 0, layers: { left: MOST_LAYERS } });
}

/** The generation by the version, and without one by the form: Keras 3 names the module that a class is from. */
function generationOf(description: unknown, version: string | undefined): Generation {
  const { keras_version: written, module } = checked(
    z.object({ keras_version: z.string().optional(), module: z.string().nullish() }),
    description,
    "the model's description",
  );
  const major = (version ?? written)?.split(".")[0];
  if (major === undefined) return module ? 3 : 2;
  return Number(major) >= 3 ? 3 : 2;
}

/** Whether it is a model that a layer's place can hold as well. */
function isModel(raw: RawLayer): boolean {
  return ["Sequential", "Functional", "Model"].includes(raw.class_name) && isKeras(raw);
}

/** Whether a class is Keras' own, and a layer: a class of somebody's own may have a layer's name. */
function isKeras({ module, registered_name: registered }: RawLayer): boolean {
  if (registered?.includes(">") && !registered.startsWith("keras>")) return false;
  return (
    !module || (/^(tf_keras|keras|tensorflow(\.python)?\.keras)(\.|$)/.test(module) && !/\.ops(\.|$)/.test(module))
  );
}

function label(raw: RawLayer): string {
  return isKeras(raw) || !raw.module ? raw.class_name : `${raw.module}.${raw.class_name}`;
}

interface Limits {
  depth: number;
  /** Counted over all nested models. */
  layers: { left: number };
}

function parseModel(raw: RawLayer, generation: Generation, limits: Limits): KerasModel {
  if (limits.depth > DEEPEST_NESTING) throw invalid(`the description nests models more than ${DEEPEST_NESTING} deep`);
  const what = `the model ${nameOf(raw)}`;
  const config = checked(z.looseObject({ layers: z.array(layerSchema).min(1) }), raw.config, what);
  limits.layers.left -= config.layers.length;
  if (limits.layers.left < 0) throw invalid(`the description has more than ${MOST_LAYERS} layers`);
  const described = { ...raw, config };
  const parts = raw.class_name === "Sequential" ? chain(described) : functional(described);
  const layers = parts.layers.map((part) => parseLayer(part.raw, part.calls, generation, limits));
  const names = new Set(layers.map(({ name }) => name));
  if (names.size < layers.length) throw invalid(`${what} has two layers of one name`);
  const model = withCallNumbers(what, layers, parts.inputs, parts.outputs);
  return {
    name: nameOf(raw),
    className: raw.class_name,
    generation,
    layers,
    ...model,
    order: callOrder(what, layers),
  };
}

function parseLayer(raw: RawLayer, calls: TensorRef[][], generation: Generation, limits: Limits): KerasLayer {
  const name = nameOf(raw);
  if (!isKeras(raw)) throw unknown(`layer ${name} is a ${label(raw)}, which is not one of Keras' own layers`);
  return {
    name,
    className: raw.class_name,
    config: raw.config,
    trainable: raw.config.trainable !== false,
    calls,
    model: isModel(raw) ? parseModel(raw, generation, { ...limits, depth: limits.depth + 1 }) : undefined,
  };
}

interface Parts {
  layers: { raw: RawLayer; calls: TensorRef[][] }[];
  inputs: TensorRef[];
  outputs: TensorRef[];
}

type Described = RawLayer & { config: { layers: RawLayer[] } & Record<string, unknown> };

/** A Sequential network: every layer takes the one before. Keras 2 may leave out the input layer. */
function chain(raw: Described): Parts {
  const { layers } = raw.config;
  const first = layers[0] as RawLayer;
  const all = first.class_name === "InputLayer" ? layers : [impliedInput(raw, first), ...layers];
  const ref = (layer: RawLayer): TensorRef => ({ layer: nameOf(layer), call: 0, output: 0 });
  return {
    layers: all.map((layer, index) => ({ raw: layer, calls: [index === 0 ? [] : [ref(all[index - 1] as RawLayer)]] })),
    inputs: [ref(all[0] as RawLayer)],
    outputs: [ref(all.at(-1) as RawLayer)],
  };
}

/** The input layer that a Sequential network has without naming it, where the description tells its shape. */
function impliedInput(raw: Described, first: RawLayer): RawLayer {
  const inner = isModel(first) ? innerInput(first) : undefined;
  const shapes = [
    first.config.batch_input_shape,
    first.config.batch_shape,
    raw.config.build_input_shape,
    raw.build_config?.input_shape,
    inner?.batch_input_shape,
    inner?.batch_shape,
    first.build_config?.input_shape,
  ];
  const shape = shapes.map((candidate) => shapeSchema.safeParse(candidate)).find(({ success }) => success)?.data;
  const config = { name: `${nameOf(raw)}/input`, batch_shape: shape, dtype: inner?.dtype };
  return { class_name: "InputLayer", config, inbound_nodes: [] };
}

/** The configuration of the first layer inside of a model, and inside of that one's first model. */
function innerInput(raw: RawLayer, depth = 0): Record<string, unknown> | undefined {
  const layers = z.array(layerSchema).safeParse(raw.config.layers);
  const first = layers.data?.[0];
  if (first === undefined || depth > DEEPEST_NESTING) return undefined;
  return isModel(first) ? innerInput(first, depth + 1) : first.config;
}

/** A functional network: every call tells what it takes. */
function functional(raw: Described): Parts {
  const ends = (key: "input_layers" | "output_layers") => {
    const refs = tensorRefs(raw.config[key], `the model ${nameOf(raw)}'s ${key}`).map(({ ref }) => ref);
    if (refs.length === 0) throw invalid(`the model ${nameOf(raw)} has no ${key}`);
    return refs;
  };
  return {
    layers: raw.config.layers.map((layer) => ({ raw: layer, calls: callsOf(layer) })),
    inputs: ends("input_layers"),
    outputs: ends("output_layers"),
  };
}

function callsOf(raw: RawLayer): TensorRef[][] {
  if (raw.class_name === "InputLayer") return [[]];
  const name = nameOf(raw);
  return raw.inbound_nodes.map((node) => {
    const keras3 = nodeSchema.safeParse(node);
    const taken = keras3.success
      ? keras3.data.args.flatMap((argument) => kerasTensors(argument, name))
      : tensorRefs(node, `layer ${name}'s inbound_nodes`);
    const options = [...taken.map(({ options }) => options), ...(keras3.success ? [keras3.data.kwargs] : [])];
    for (const [key, value] of options.flatMap(Object.entries)) {
      // a layer that serves is called with training=False and no mask whatever is said of them
      if (value === null || value === false) continue;
      throw unknown(`layer ${name} (${label(raw)}) is called with the argument ${key}, which is not converted`);
    }
    return taken.map(({ ref }) => ref);
  });
}

interface Taken {
  ref: TensorRef;
  /** Arguments of the call beside the tensor. */
  options: Record<string, unknown>;
}

/** Keras 3: tensors within a call's arguments, alone or in lists. */
function kerasTensors(argument: unknown, layer: string): Taken[] {
  if (argument === null) return [];
  if (Array.isArray(argument)) return argument.flatMap((item) => kerasTensors(item, layer));
  const tensor = kerasTensorSchema.safeParse(argument);
  if (!tensor.success) throw unknown(`layer ${layer} is called with something else than tensors of the model`);
  const [name, call, output] = tensor.data.config.keras_history;
  return [{ ref: { layer: name, call, output }, options: {} }];
}

/** Triples `[layer, call, output]` in lists of any form; Keras 2 adds the call's other arguments. */
function tensorRefs(value: unknown, what: string): Taken[] {
  if (Array.isArray(value)) {
    const [layer, call, output, options] = value;
    if (typeof layer === "string" && isIndex(call) && isIndex(output)) {
      return [{ ref: { layer, call, output }, options: record.safeParse(options).data ?? {} }];
    }
    return value.flatMap((item) => tensorRefs(item, what));
  }
  const structure = record.safeParse(value);
  if (structure.success) return Object.values(structure.data).flatMap((item) => tensorRefs(item, what));
  throw invalid(`${what} name no tensor of the model`);
}

function isIndex(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function nameOf({ name, config, class_name }: RawLayer): string {
  return typeof config.name === "string" ? config.name : (name ?? class_name.toLowerCase());
}

/** Parses what Keras wrote, or says what is not as it writes it. */
function checked<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalid(`${what} is not as Keras writes it: ${z.prettifyError(result.error)}`, result.error);
}
