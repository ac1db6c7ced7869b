import { z } from "zod";
import { type Activation, activationLayers, activationOf } from "../activations.ts";
import type { Value } from "../builder.ts";
import { type AnyLayerKind, axisOf, type LayerCall, layerKind, lengthOf, type Row } from "../layer-kind.ts";

/** An option that names an activation function. */
export const activationOption = z.unknown().optional();

/**
 * The function that a layer's option names.
 * @throws SlipwayError E_MODEL_LAYER_UNKNOWN naming it
 */
export function requireActivation(call: LayerCall<unknown>, value: unknown, option = "activation"): Activation {
  const activation = activationOf(value, call.generation);
  if (activation === undefined) throw call.refuse(`has the ${option} ${JSON.stringify(value)?.slice(0, 200)}`);
  return activation;
}

/** Applies the activation that a layer's option names to what the layer has computed. */
export function activated(call: LayerCall<unknown>, value: Value, option: unknown): Value {
  const activation = requireActivation(call, option);
  return { ...value, tensor: activation.emit(call.graph, value.tensor), meaning: activation.meaning };
}

/** Applies an activation in float64 to every run of values along the last axis. */
export function activatedRow(row: Row, activation: Activation | undefined): Row | undefined {
  if (activation?.apply === undefined) return undefined;
  const width = row.shape.at(-1) ?? 1;
  const values: number[] = [];
  for (let start = 0; start < row.values.length; start += width) {
    for (const value of activation.apply(row.values.slice(start, start + width))) values.push(value);
  }
  return { ...row, values };
}

const activation = layerKind(
  { activation: activationOption },
  {
    convert: (call, x) => activated(call, x, call.options.activation),
    forward: ({ options, generation }, row) => activatedRow(row, activationOf(options.activation, generation)),
  },
);

/** Layers that are an activation with parameters. */
const parametric = [...activationLayers].map(([name, { options, activation }]): [string, AnyLayerKind] => [
  name,
  layerKind(options, {
    convert: (call, x) => ({ ...x, tensor: activation(call.options).emit(call.graph, x.tensor), meaning: undefined }),
    forward: ({ options }, row) => activatedRow(row, activation(options)),
  }),
]);

const prelu = layerKind(
  { shared_axes: z.array(z.number().int()).nullish() },
  {
    weights: () => [{ name: "alpha" }],
    convert: (call, x) => {
      const shared = new Set((call.options.shared_axes ?? []).map((axis) => axisOf(call, axis, x.shape)));
      const shape = x.shape.map((_, index) => (shared.has(index) ? 1 : lengthOf(call, x.shape, index)));
      const [alpha = new Float32Array()] = call.weights([shape]);
      const slope = call.graph.floats(alpha, shape, "alpha");
      return { ...x, tensor: call.graph.add("PRelu", [x.tensor, slope]), meaning: undefined };
    },
  },
);

const softmax = layerKind(
  { axis: z.union([z.number().int(), z.array(z.number().int()).min(1)]).default(-1) },
  {
    mask: "counts",
    convert: (call, x) => {
      const axes = [call.options.axis].flat().map((axis) => axisOf(call, axis, x.shape) + 1);
      const [axis = 1, ...more] = axes;
      if (more.length === 0) {
        const meaning = axis === x.shape.length ? "softmax" : undefined;
        return { ...x, tensor: call.graph.add("Softmax", [x.tensor], { axis }), meaning };
      }
      const scale = call.graph.add("ReduceLogSumExp", [x.tensor], { axes, keepdims: 1 });
      const tensor = call.graph.add("Exp", [call.graph.add("Sub", [x.tensor, scale])]);
      return { ...x, tensor, meaning: undefined };
    },
  },
);

export const activationLayerKinds: Record<string, AnyLayerKind> = {
  Activation: activation,
  ...Object.fromEntries(parametric),
  PReLU: prelu,
  Softmax: softmax,
};
