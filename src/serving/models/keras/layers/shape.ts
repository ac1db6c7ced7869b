import { z } from "zod";
import type { Shape } from "../builder.ts";
import { type AnyLayerKind, type LayerCall, layerKind, lengthOf, lengthsOf } from "../layer-kind.ts";
import { dataFormat, isChannelsFirst, spatialAxes } from "./layout.ts";

const flatten = layerKind(
  { data_format: dataFormat },
  {
    mask: "ends",
    takesIntegers: true,
    convert: (call, x) => {
      const size = lengthsOf(call, x.shape).reduce((product, length) => product * length, 1);
      // Keras flattens in the order of channels-last whatever the format is
      const perm = [0, ...x.shape.slice(1).map((_, index) => index + 2), 1];
      const moved = isChannelsFirst(call.options) && x.shape.length > 1;
      const tensor = moved ? call.graph.add("Transpose", [x.tensor], { perm }) : x.tensor;
      return { ...x, tensor: call.graph.add("Reshape", [tensor, call.graph.integers([0, size])]), shape: [size] };
    },
    forward: ({ options }, row) =>
      isChannelsFirst(options) && row.shape.length > 1 ? undefined : { shape: [row.values.length], values: row.values },
  },
);

const reshape = layerKind(
  { target_shape: z.array(z.number().int()) },
  {
    mask: "ends",
    takesIntegers: true,
    convert: (call, x) => {
      const size = lengthsOf(call, x.shape).reduce((product, length) => product * length, 1);
      const shape = filledIn(call, call.options.target_shape, size);
      return { ...x, tensor: call.graph.add("Reshape", [x.tensor, call.graph.integers([0, ...shape])]), shape };
    },
    forward: ({ options: { target_shape } }, row) =>
      target_shape.includes(-1) ? undefined : { shape: target_shape, values: row.values },
  },
);

/** A target shape with the length in place of its -1. */
function filledIn(call: LayerCall<unknown>, target: number[], size: number): number[] {
  const known = target.filter((length) => length !== -1).reduce((product, length) => product * length, 1);
  const shape = target.map((length) => (length === -1 ? size / known : length));
  const fits = shape.every((length) => Number.isInteger(length) && length > 0);
  if (fits && shape.reduce((product, length) => product * length, 1) === size) return shape;
  throw call.impossible(`cannot bring ${size} values into the shape ${target.join("×")}`);
}

const permute = layerKind(
  { dims: z.array(z.number().int().positive()) },
  {
    mask: "ends",
    takesIntegers: true,
    convert: (call, x) => {
      const { dims } = call.options;
      if ([...dims].sort((a, b) => a - b).join() !== x.shape.map((_, index) => index + 1).join()) {
        throw call.impossible(
          `cannot put the axes of rows of ${x.shape.length} dimensions in the order ${dims.join(", ")}`,
        );
      }
      const shape = dims.map((dim) => x.shape[dim - 1] as number | null);
      return {
        ...x,
        tensor: call.graph.add("Transpose", [x.tensor], { perm: [0, ...dims] }),
        shape,
        meaning: undefined,
      };
    },
  },
);

const repeatVector = layerKind(
  { n: z.number().int().positive() },
  {
    mask: "ends",
    takesIntegers: true,
    convert: (call, x) => {
      const { n } = call.options;
      const row = call.graph.add("Unsqueeze", [x.tensor, call.graph.integers([1])]);
      const repeats = call.graph.integers([1, n, ...x.shape.map(() => 1)]);
      return { ...x, tensor: call.graph.add("Tile", [row, repeats]), shape: [n, ...x.shape] };
    },
  },
);

const size = z.number().int().min(0);
const pair = z.tuple([size, size]);
/** Before and after, for each axis: `[[top, bottom], [left, right]]`; shorter where both, or all, are the same. */
const margins1d = z.union([size.transform((n): number[][] => [[n, n]]), pair.transform((both): number[][] => [both])]);
const margins2d = z.union([
  size.transform((n): number[][] => [
    [n, n],
    [n, n],
  ]),
  pair.transform(([height, width]): number[][] => [
    [height, height],
    [width, width],
  ]),
  z.tuple([pair, pair]).transform((margins): number[][] => margins),
]);

function zeroPadding(margins: typeof margins1d | typeof margins2d): AnyLayerKind {
  return layerKind(
    { padding: margins, data_format: dataFormat },
    {
      mask: "ends",
      convert: (call, x) => {
        const { axes, lengths } = withMargins(call, x.shape, call.options.padding);
        const side = (which: number) => [0, ...x.shape.map((_, index) => axes.get(index)?.[which] ?? 0)];
        const pads = call.graph.integers([...side(0), ...side(1)]);
        const shape = x.shape.map((length, index) => length && length + (lengths.get(index) ?? 0));
        return { ...x, tensor: call.graph.add("Pad", [x.tensor, pads]), shape, meaning: undefined };
      },
    },
  );
}

function cropping(margins: typeof margins1d | typeof margins2d): AnyLayerKind {
  return layerKind(
    { cropping: margins, data_format: dataFormat },
    {
      mask: "ends",
      takesIntegers: true,
      convert: (call, x) => {
        const { axes, lengths } = withMargins(call, x.shape, call.options.cropping);
        const shape = x.shape.map((length, index) => length && length - (lengths.get(index) ?? 0));
        if (shape.some((length) => length !== null && length <= 0)) throw call.impossible("cuts everything away");
        const indices = [...axes.keys()];
        const bounds = [
          indices.map((index) => axes.get(index)?.[0] ?? 0),
          indices.map((index) => (axes.get(index)?.[1] ? -(axes.get(index)?.[1] as number) : Number.MAX_SAFE_INTEGER)),
          indices.map((index) => index + 1),
        ];
        const tensor = call.graph.add("Slice", [x.tensor, ...bounds.map((values) => call.graph.integers(values))]);
        return { ...x, tensor, shape, meaning: undefined };
      },
    },
  );
}

/** The margins by the index of their axis, and both sides' together. */
function withMargins(call: LayerCall<{ data_format?: unknown }>, shape: Shape, margins: number[][]) {
  const spatial = spatialAxes(call, shape, margins.length);
  return {
    axes: new Map(spatial.map((axis, index) => [axis, margins[index] as number[]])),
    lengths: new Map(spatial.map((axis, index) => [axis, (margins[index] as number[]).reduce((a, b) => a + b, 0)])),
  };
}

const factor = z.number().int().positive();

const upSampling1d = layerKind(
  {
    size: z
      .union([
        factor,
        z
          .array(factor)
          .length(1)
          .transform(([only]) => only as number),
      ])
      .default(2),
  },
  {
    mask: "ends",
    convert: (call, x) => {
      const [length = null] = x.shape;
      const shape = [length && length * call.options.size, ...x.shape.slice(1)];
      lengthOf(call, x.shape, 1);
      return { ...x, tensor: resized(call, x.tensor, [1, call.options.size, 1], "nearest"), shape, meaning: undefined };
    },
  },
);

const upSampling2d = layerKind(
  {
    size: z.union([factor.transform((n): number[] => [n, n]), z.array(factor).length(2)]).default([2, 2]),
    data_format: dataFormat,
    interpolation: z.enum(["nearest", "bilinear"]).default("nearest"),
  },
  {
    mask: "ends",
    convert: (call, x) => {
      const { size, interpolation } = call.options;
      const spatial = spatialAxes(call, x.shape, 2);
      const factors = x.shape.map((_, index) => size[spatial.indexOf(index)] ?? 1);
      const shape = x.shape.map((length, index) => length && length * (factors[index] as number));
      if (interpolation === "nearest") {
        return { ...x, tensor: resized(call, x.tensor, [1, ...factors], "nearest"), shape, meaning: undefined };
      }
      // ONNX Runtime interpolates the last two axes
      const moved = !isChannelsFirst(call.options);
      const first = moved ? call.graph.add("Transpose", [x.tensor], { perm: [0, 3, 1, 2] }) : x.tensor;
      const large = resized(call, first, [1, 1, ...size], "linear");
      const tensor = moved ? call.graph.add("Transpose", [large], { perm: [0, 2, 3, 1] }) : large;
      return { ...x, tensor, shape, meaning: undefined };
    },
  },
);

function resized(call: LayerCall<unknown>, tensor: string, factors: number[], mode: "nearest" | "linear"): string {
  const scales = call.graph.floats(factors, [factors.length], "scales");
  return call.graph.add("Resize", [tensor, "", scales], {
    mode,
    coordinate_transformation_mode: mode === "nearest" ? "asymmetric" : "half_pixel",
    ...(mode === "nearest" && { nearest_mode: "floor" }),
  });
}

export const shapeLayerKinds: Record<string, AnyLayerKind> = {
  Flatten: flatten,
  Reshape: reshape,
  Permute: permute,
  RepeatVector: repeatVector,
  ZeroPadding1D: zeroPadding(margins1d),
  ZeroPadding2D: zeroPadding(margins2d),
  Cropping1D: cropping(margins1d),
  Cropping2D: cropping(margins2d),
  UpSampling1D: upSampling1d,
  UpSampling2D: upSampling2d,
};
