import { z } from "zod";
import type { Shape } from "../builder.ts";
import { type AnyLayerKind, axisOf, type LayerCall, layerKind, lengthOf, type Row } from "../layer-kind.ts";

const axisOption = z.union([
  z
    .number()
    .int()
    .transform((axis) => [axis]),
  z.array(z.number().int()),
]);

/** Some axes of a row, in order, with what is needed to put an array of their lengths beside the row. */
interface Axes {
  indices: number[];
  lengths: number[];
  /** Of the array: 1 where the row has another axis. */
  broadcast: number[];
}

function axesOf(call: LayerCall<unknown>, axes: number[], shape: Shape): Axes {
  const indices = axes.map((axis) => axisOf(call, axis, shape));
  if (indices.some((index, place) => place > 0 && index <= (indices[place - 1] as number))) {
    throw call.refuse(`names its axes in the order ${axes.join(", ")}`);
  }
  return {
    indices,
    lengths: indices.map((index) => lengthOf(call, shape, index)),
    broadcast: shape.map((_, index) => (indices.includes(index) ? lengthOf(call, shape, index) : 1)),
  };
}

/** Computes with a constant of the axes' lengths. */
function combined(
  call: LayerCall<unknown>,
  op: "Add" | "Sub" | "Mul" | "Div",
  tensor: string,
  values: ArrayLike<number>,
  { broadcast }: Axes,
  name: string,
): string {
  const dims = values.length === 1 ? [] : broadcast;
  return call.graph.add(op, [tensor, call.graph.floats(values, dims, name)]);
}

const affineNames = ({ scale, center }: { scale: boolean; center: boolean }) => [
  ...(scale ? [{ name: "gamma" }] : []),
  ...(center ? [{ name: "beta" }] : []),
];

const batchNormalization = layerKind(
  {
    axis: axisOption.default([-1]),
    epsilon: z.number().min(0).default(1e-3),
    scale: z.boolean().default(true),
    center: z.boolean().default(true),
  },
  {
    ignored: [
      "momentum",
      "renorm_clipping",
      "renorm_momentum",
      "fused",
      "virtual_batch_size",
      "mode",
      "renorm",
      "synchronized",
    ],
    weights: (options) => [
      ...affineNames(options),
      { name: "moving_mean", kept: true },
      { name: "moving_variance", kept: true },
    ],
    convert: (call, x) => {
      const { axis, scale, center, epsilon } = call.options;
      const axes = axesOf(call, axis, x.shape);
      const arrays = call.weights([
        ...(scale ? [axes.lengths] : []),
        ...(center ? [axes.lengths] : []),
        axes.lengths,
        axes.lengths,
      ]);
      const { mean, factor, shift } = batchParts(arrays, scale, center, epsilon);
      // the mean first: multiplied out, it could be large beside what remains
      const centred = combined(call, "Sub", x.tensor, mean, axes, "mean");
      const scaled = combined(call, "Mul", centred, factor, axes, "factor");
      return { ...x, tensor: shift ? combined(call, "Add", scaled, shift, axes, "beta") : scaled, meaning: undefined };
    },
    forward: ({ options: { axis, scale, center, epsilon }, weights }, row) => {
      if (axis.length !== 1 || (axis[0] !== -1 && axis[0] !== row.shape.length)) return undefined;
      const { mean, factor, shift } = batchParts(weights, scale, center, epsilon);
      return alongLastAxis(
        row,
        (value, at) => (value - (mean[at] as number)) * (factor[at] as number) + (shift?.[at] ?? 0),
      );
    },
  },
);

function batchParts(arrays: Float32Array[], scale: boolean, center: boolean, epsilon: number) {
  const rest = [...arrays];
  const gamma = scale ? rest.shift() : undefined;
  const shift = center ? rest.shift() : undefined;
  const [mean = new Float32Array(), variance = new Float32Array()] = rest;
  return { mean, shift, factor: Array.from(variance, (value, at) => (gamma?.[at] ?? 1) / Math.sqrt(value + epsilon)) };
}

function alongLastAxis(row: Row, compute: (value: number, at: number) => number): Row {
  const width = row.shape.at(-1) ?? 1;
  return { ...row, values: row.values.map((value, index) => compute(value, index % width)) };
}

const layerNormalization = layerKind(
  {
    axis: axisOption.default([-1]),
    epsilon: z.number().min(0).default(1e-3),
    scale: z.boolean().default(true),
    center: z.boolean().default(true),
  },
  {
    weights: affineNames,
    convert: (call, x) => {
      const { graph } = call;
      const { axis, scale, center, epsilon } = call.options;
      const axes = axesOf(call, axis, x.shape);
      const arrays = call.weights([...(scale ? [axes.lengths] : []), ...(center ? [axes.lengths] : [])]);
      const gamma = scale ? arrays.shift() : undefined;
      const [beta] = arrays;
      const over = { axes: axes.indices.map((index) => index + 1), keepdims: 1 };
      const centred = graph.add("Sub", [x.tensor, graph.add("ReduceMean", [x.tensor], over)]);
      const variance = graph.add("ReduceMean", [graph.add("Mul", [centred, centred])], over);
      const deviation = graph.add("Sqrt", [graph.add("Add", [variance, graph.scalar(epsilon)])]);
      let tensor = graph.add("Div", [centred, deviation]);
      if (gamma) tensor = combined(call, "Mul", tensor, gamma, axes, "gamma");
      if (beta) tensor = combined(call, "Add", tensor, beta, axes, "beta");
      return { ...x, tensor, meaning: undefined };
    },
  },
);

/** Numbers in lists of any depth. */
const numbers: z.ZodType<number[]> = z.union([
  z.number().transform((value) => [value]),
  z.array(z.lazy(() => numbers)).transform((lists) => lists.flat()),
]);

/** What Keras divides by at least. */
const KERAS_EPSILON = 1e-7;

const normalization = layerKind(
  {
    axis: axisOption.nullish(),
    mean: numbers.nullish(),
    variance: numbers.nullish(),
    invert: z.boolean().default(false),
  },
  {
    weights: ({ mean }) => (mean ? [] : ["mean", "variance", "count"].map((name) => ({ name, kept: true }))),
    convert: (call, x) => {
      const { axis, mean: given, variance: givenVariance, invert } = call.options;
      const axes = axesOf(call, axis ?? [], x.shape);
      const size = axes.lengths.reduce((product, length) => product * length, 1);
      const [mean = given ?? [], variance = givenVariance ?? []] = given
        ? []
        : call.weights([axes.lengths, axes.lengths, []]);
      for (const values of [mean, variance]) {
        if (values.length !== 1 && values.length !== size)
          throw call.impossible(`has ${values.length} means or variances, not ${size}`);
      }
      const deviation = Array.from(variance, (value) => Math.max(Math.sqrt(value), KERAS_EPSILON));
      const tensor = invert
        ? combined(call, "Add", combined(call, "Mul", x.tensor, deviation, axes, "deviation"), mean, axes, "mean")
        : combined(call, "Div", combined(call, "Sub", x.tensor, mean, axes, "mean"), deviation, axes, "deviation");
      return { ...x, tensor, meaning: undefined };
    },
    forward: ({ options: { axis, mean: given, variance: givenVariance, invert }, weights }, row) => {
      if (axis?.length !== 1 || (axis[0] !== -1 && axis[0] !== row.shape.length)) return undefined;
      const [mean = given ?? [], variance = givenVariance ?? []] = weights;
      return alongLastAxis(row, (value, at) => {
        const middle = mean[mean.length === 1 ? 0 : at] as number;
        const deviation = Math.max(Math.sqrt(variance[variance.length === 1 ? 0 : at] as number), KERAS_EPSILON);
        return invert ? middle + value * deviation : (value - middle) / deviation;
      });
    },
  },
);

const rescaling = layerKind(
  { scale: numbers, offset: numbers.default([0]) },
  {
    convert: (call, x) => {
      const constant = (values: number[]) => call.graph.floats(values, values.length === 1 ? [] : [values.length]);
      const { scale, offset } = call.options;
      for (const values of [scale, offset]) {
        if (values.length !== 1 && values.length !== x.shape.at(-1))
          throw call.impossible(`has ${values.length} factors or offsets`);
      }
      const scaled = call.graph.add("Mul", [x.tensor, constant(scale)]);
      return { ...x, tensor: call.graph.add("Add", [scaled, constant(offset)]), meaning: undefined };
    },
    forward: ({ options: { scale, offset } }, row) =>
      alongLastAxis(
        row,
        (value, at) =>
          value * (scale[scale.length === 1 ? 0 : at] as number) + (offset[offset.length === 1 ? 0 : at] as number),
      ),
  },
);

export const normalizationLayerKinds: Record<string, AnyLayerKind> = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  Normalization: normalization,
  Rescaling: rescaling,
};
