import { z } from "zod";
import { shortened } from "../../../common/text.ts";
import type { GraphBuilder, Shape, Value } from "./builder.ts";
import { invalid, mismatch, unknown } from "./errors.ts";
import type { Generation, WeightArray } from "./graph.ts";

/** An array that a layer keeps. */
export interface WeightName {
  name: string;
  /** Never changed by training, like a mean that a layer keeps: Keras stores those of a nested model after all others. */
  kept?: boolean;
  /** Where below its layer Keras 3 stores it, e.g. `cell`. */
  place?: string;
}

/** A row of values on its way through the float64 computation without ONNX. */
export interface Row {
  shape: number[];
  values: number[];
}

/** What a layer's conversion works with. */
export interface LayerCall<Options> {
  name: string;
  className: string;
  generation: Generation;
  options: Options;
  graph: GraphBuilder;
  /** The layer's arrays as they were found. */
  tensors: WeightArray[];
  /**
   * The layer's arrays, in the order of its kind's `weights`.
   * @throws SlipwayError E_MODEL_MISMATCH when they have not these shapes
   */
  weights: (shapes: number[][]) => Float32Array[];
  /** The error for an option that is not converted. */
  refuse: (reason: string) => Error;
  /** The error for a description that cannot be: Keras would not have made the layer. */
  impossible: (reason: string) => Error;
}

/** What a layer's computation in float64 works with. */
interface ForwardCall<Options> {
  options: Options;
  generation: Generation;
  /** The layer's arrays, in the order of its kind's `weights`. */
  weights: Float32Array[];
}

/** A class of Keras' layers: what its options mean, what it keeps, and how it is written in ONNX. */
export interface LayerKind<Options> {
  /** The options that matter when a model serves, by Keras' names. */
  options: z.ZodObject & z.ZodType<Options>;
  /** Options that matter in training only, or only for how fast Keras computes. */
  ignored?: readonly string[];
  weights?: (options: Options, generation: Generation) => WeightName[];
  /** Writes a call, given its first tensor and all that it takes. */
  convert: (call: LayerCall<Options>, input: Value, inputs: Value[]) => Value;
  /** How many tensors a call takes; one, if not said. */
  inputs?: "one" | "many";
  /** Whether it works with whole numbers as they come; else they are made floats. */
  takesIntegers?: boolean;
  /** What becomes of a mask: it goes on with the result, it ends here, or it would change the result, which is not converted. */
  mask?: "passes" | "ends" | "counts";
  /**
   * The same in float64 and without ONNX, where that is simple: what a conversion is checked with when a model is imported.
   * Undefined for options with which it is not.
   */
  forward?: (call: ForwardCall<Options>, input: Row, inputs: Row[]) => Row | undefined;
}

/** Options of any layer, once its kind has read them. */
type Options = Record<string, unknown>;

/** Any kind of layer: the options that it works with are those that it has read itself. */
export type AnyLayerKind = LayerKind<Options>;

/** Declares a kind of layer, typed by its options. */
export function layerKind<Shape extends z.core.$ZodLooseShape>(
  options: Shape,
  kind: Omit<LayerKind<z.infer<z.ZodObject<Shape>>>, "options">,
): AnyLayerKind {
  return { ...kind, options: z.object(options) } as unknown as AnyLayerKind;
}

/** Options that every layer has and that change nothing of what it computes when a model serves. */
const IGNORED = new Set([
  "name",
  "trainable",
  "dtype",
  "input_dtype",
  "batch_input_shape",
  "batch_shape",
  "input_shape",
  "autocast",
  "build_config",
]);
const IGNORED_ENDING = /_(initializer|regularizer|constraint)$/;

/** Precisions that are computed in float32; a quantized layer is another computation. */
const FLOATING = /^(float(16|32|64)|bfloat16|mixed_(b?)float16)$/;
const policySchema = z.union([
  z.string(),
  z.object({ config: z.object({ name: z.string() }) }).transform(({ config }) => config.name),
]);

/**
 * Reads a layer's options, and refuses what is not converted by its name.
 * @throws SlipwayError E_MODEL_LAYER_UNKNOWN, E_MODEL_INVALID
 */
export function optionsOf(kind: AnyLayerKind, what: string, config: Readonly<Record<string, unknown>>): Options {
  const ignored = new Set(kind.ignored);
  for (const [key, value] of Object.entries(config)) {
    if (key in kind.options.shape || ignored.has(key) || IGNORED.has(key) || IGNORED_ENDING.test(key)) continue;
    if (value === null || value === false) continue; // an option that is off
    throw unknown(`${what} has the option ${key} = ${brief(value)}, which is not converted`);
  }
  const policy = policySchema.nullish().safeParse(config.dtype).data ?? "float32";
  if (!FLOATING.test(policy) && !kind.takesIntegers)
    throw unknown(`${what} has the option dtype = ${policy}, which is not converted`);
  const result = kind.options.safeParse(config);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    if (!("message" in issue) || issue.code !== "invalid_value") continue;
    const [key] = issue.path;
    throw unknown(`${what} has the option ${String(key)} = ${brief(config[String(key)])}, which is not converted`);
  }
  throw invalid(`${what} is not as Keras writes it: ${z.prettifyError(result.error)}`, result.error);
}

/** What a call needs beside its graph and options. */
export function layerCall(
  kind: AnyLayerKind,
  layer: { name: string; className: string; generation: Generation },
  graph: GraphBuilder,
  options: Options,
  tensors: WeightArray[],
): LayerCall<Options> {
  const what = `layer ${layer.name} (${layer.className})`;
  return {
    ...layer,
    options,
    graph,
    tensors,
    weights: (shapes) => {
      const names = kind.weights?.(options, layer.generation) ?? [];
      const expected = names.map(({ name }, index) => ({ name, shape: shapes[index] ?? [] }));
      if (form(expected) !== form(tensors)) {
        throw mismatch(`layer ${layer.name} needs ${form(expected)}; its weights are ${form(tensors)}`);
      }
      return tensors.map(({ values }) => values);
    },
    refuse: (reason) => unknown(`${what} ${reason}, which is not converted`),
    impossible: (reason) => invalid(`${what} ${reason}`),
  };
}

function form(arrays: { name: string; shape: number[] }[]): string {
  if (arrays.length === 0) return "none";
  return arrays.map(({ name, shape }) => (shape.length === 0 ? name : `${name} ${shape.join("×")}`)).join(", ");
}

function brief(value: unknown): string {
  return shortened(JSON.stringify(value) ?? "nothing", 60);
}

/** An axis as Keras names it, the rows being axis 0 and -1 the last, as an index of a shape without the rows. */
export function axisOf(call: LayerCall<unknown>, axis: number, shape: Shape): number {
  const index = axis < 0 ? axis + shape.length : axis - 1;
  if (axis !== 0 && index >= 0 && index < shape.length) return index;
  throw call.impossible(`names the axis ${axis} of rows of ${shape.length} dimensions`);
}

/** The length of an axis that must not be open. */
export function lengthOf(call: LayerCall<unknown>, shape: Shape, index: number): number {
  const length = shape[index];
  if (typeof length === "number") return length;
  if (length === null) throw call.refuse(`takes an axis ${index + 1} of open length`);
  throw call.impossible(`takes rows of ${shape.length} dimensions`);
}

/** The lengths of all axes, none of which may be open. */
export function lengthsOf(call: LayerCall<unknown>, shape: Shape): number[] {
  return shape.map((_, index) => lengthOf(call, shape, index));
}
