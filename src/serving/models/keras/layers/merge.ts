import { z } from "zod";
import type { GraphBuilder, Shape, Value } from "../builder.ts";
import { type AnyLayerKind, axisOf, type LayerCall, layerKind } from "../layer-kind.ts";

/** A layer that computes something of several tensors, number by number. */
function elementwise(
  emit: (graph: GraphBuilder, tensors: string[]) => string,
  compute: (values: number[]) => number,
  most = Number.POSITIVE_INFINITY,
): AnyLayerKind {
  return layerKind(
    {},
    {
      inputs: "many",
      mask: "counts",
      convert: (call, first, inputs) => {
        if (inputs.length > most) throw call.impossible(`takes ${most} tensors, not ${inputs.length}`);
        const rank = Math.max(...inputs.map(({ shape }) => shape.length));
        const aligned = inputs.map((input) => ofRank(call, input, rank));
        const shape = aligned.map((input) => input.shape).reduce((a, b) => broadcast(call, a, b));
        return {
          ...first,
          tensor: emit(
            call.graph,
            aligned.map(({ tensor }) => tensor),
          ),
          shape,
          meaning: undefined,
        };
      },
      forward: (_, first, inputs) => {
        if (inputs.some((input) => input.shape.join() !== first.shape.join())) return undefined;
        return {
          ...first,
          values: first.values.map((_, at) => compute(inputs.map(({ values }) => values[at] as number))),
        };
      },
    },
  );
}

/** Keras lets a tensor of fewer dimensions stand for one that is the same along the first axes of a row. */
function ofRank(call: LayerCall<unknown>, value: Value, rank: number): Value {
  const missing = rank - value.shape.length;
  if (missing === 0) return value;
  const axes = Array.from({ length: missing }, (_, index) => index + 1);
  return {
    ...value,
    tensor: call.graph.add("Unsqueeze", [value.tensor, call.graph.integers(axes)]),
    shape: [...axes.map(() => 1), ...value.shape],
  };
}

function broadcast(call: LayerCall<unknown>, a: Shape, b: Shape): Shape {
  return a.map((length, axis) => {
    const other = b[axis] as number | null;
    if (length === other || other === 1 || other === null) return length === 1 ? other : length;
    if (length === 1 || length === null) return other;
    throw call.impossible(`cannot join rows of ${a.join("×")} and ${b.join("×")}`);
  });
}

const pairwise = (op: string) => (graph: GraphBuilder, tensors: string[]) =>
  tensors.reduce((left, right) => graph.add(op, [left, right]));
const variadic = (op: string) => (graph: GraphBuilder, tensors: string[]) => graph.add(op, tensors);
const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);

const concatenate = layerKind(
  { axis: z.number().int().default(-1) },
  {
    inputs: "many",
    mask: "counts",
    convert: (call, first, inputs) => {
      const axis = axisOf(call, call.options.axis, first.shape);
      const shape = first.shape.map((length, index) => {
        const lengths = inputs.map((input) => input.shape[index]);
        if (index === axis) return lengths.some((one) => one === null) ? null : sum(lengths as number[]);
        if (inputs.some((input) => input.shape.length !== first.shape.length || input.shape[index] !== length)) {
          throw call.impossible(
            `cannot put rows of ${inputs.map((input) => input.shape.join("×")).join(" and ")} together`,
          );
        }
        return length;
      });
      const tensor = call.graph.add(
        "Concat",
        inputs.map((input) => input.tensor),
        { axis: axis + 1 },
      );
      return { ...first, tensor, shape, meaning: undefined };
    },
    forward: ({ options: { axis } }, first, inputs) => {
      if (first.shape.length !== 1 || (axis !== -1 && axis !== 1)) return undefined;
      const values = inputs.flatMap((input) => input.values);
      return { shape: [values.length], values };
    },
  },
);

export const mergeLayerKinds: Record<string, AnyLayerKind> = {
  Add: elementwise(variadic("Sum"), sum),
  Subtract: elementwise(pairwise("Sub"), ([a = 0, b = 0]) => a - b, 2),
  Multiply: elementwise(pairwise("Mul"), (values) => values.reduce((a, b) => a * b, 1)),
  Average: elementwise(variadic("Mean"), (values) => sum(values) / values.length),
  Maximum: elementwise(variadic("Max"), (values) => Math.max(...values)),
  Minimum: elementwise(variadic("Min"), (values) => Math.min(...values)),
  Concatenate: concatenate,
};
