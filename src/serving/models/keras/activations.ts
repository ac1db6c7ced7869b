import { z } from "zod";
import type { GraphBuilder, Value } from "./builder.ts";
import type { Generation } from "./graph.ts";

/** An activation function: as ONNX operations for serving and, where that is simple, in float64 for the check of those. */
export interface Activation {
  /** The tensor that the activation makes of one of any shape. */
  emit: (graph: GraphBuilder, tensor: string) => string;
  /** Of the values along the last axis. */
  apply?: (values: number[]) => number[];
  meaning?: Value["meaning"];
  /** The name and parameters by which ONNX' recurrent operators know it; not all have one. */
  recurrent?: { name: string; alpha?: number; beta?: number };
}

function elementwise(
  emit: Activation["emit"],
  compute?: (x: number) => number,
  recurrent?: Activation["recurrent"],
): Activation {
  return { emit, ...(compute && { apply: (values) => values.map(compute) }), ...(recurrent && { recurrent }) };
}

/** An activation that ONNX has by a name. */
function operator(op: string, compute: (x: number) => number, recurrent?: Activation["recurrent"]): Activation {
  return elementwise((graph, x) => graph.add(op, [x]), compute, recurrent);
}

function clipped(graph: GraphBuilder, x: string, from: number, to: number): string {
  return graph.add("Clip", [x, graph.scalar(from), graph.scalar(to)]);
}

const clamp = (x: number, from: number, to: number) => Math.min(Math.max(x, from), to);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
// The constants are those of both Keras and the ONNX operator's defaults.
const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

/** `slope × x + 1/2` between 0 and 1. */
function hardSigmoid(slope: number): Activation {
  return elementwise(
    (graph, x) => graph.add("HardSigmoid", [x], { alpha: { float: slope }, beta: { float: 0.5 } }),
    (x) => clamp(slope * x + 0.5, 0, 1),
    { name: "HardSigmoid", alpha: slope, beta: 0.5 },
  );
}

function shrink(bias: number): Activation {
  return elementwise(
    (graph, x) => graph.add("Shrink", [x], { lambd: { float: 0.5 }, bias: { float: bias } }),
    (x) => (Math.abs(x) > 0.5 ? x - Math.sign(x) * bias : 0),
  );
}

function leakyRelu(slope: number): Activation {
  return elementwise(
    (graph, x) => graph.add("LeakyRelu", [x], { alpha: { float: slope } }),
    (x) => (x > 0 ? x : slope * x),
    { name: "LeakyRelu", alpha: slope },
  );
}

function elu(alpha: number): Activation {
  return elementwise(
    (graph, x) => graph.add("Elu", [x], { alpha: { float: alpha } }),
    (x) => (x > 0 ? x : alpha * Math.expm1(x)),
    { name: "Elu", alpha },
  );
}

const swish = elementwise(
  (graph, x) => graph.add("Mul", [x, graph.add("Sigmoid", [x])]),
  (x) => x * sigmoid(x),
);
const hardSwish = elementwise(
  (graph, x) => graph.add("Mul", [x, graph.add("HardSigmoid", [x], { alpha: { float: 1 / 6 }, beta: { float: 0.5 } })]),
  (x) => x * clamp(x / 6 + 0.5, 0, 1),
);

/** Over the last axis. */
const softmax: Activation = {
  emit: (graph, x) => graph.add("Softmax", [x], { axis: -1 }),
  apply: (values) => {
    const largest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const powers = values.map((x) => Math.exp(x - largest));
    const sum = powers.reduce((total, power) => total + power, 0);
    return powers.map((power) => power / sum);
  },
  meaning: "softmax",
};

/** By Keras' names; `hard_sigmoid`, which is not the same function in Keras 2 and in Keras 3, as Keras 3 means it. */
export const activations: ReadonlyMap<string, Activation> = new Map([
  [
    "linear",
    elementwise(
      (_, x) => x,
      (x) => x,
      { name: "Affine", alpha: 1, beta: 0 },
    ),
  ],
  ["relu", operator("Relu", (x) => Math.max(0, x), { name: "Relu" })],
  ["sigmoid", { ...operator("Sigmoid", sigmoid, { name: "Sigmoid" }), meaning: "sigmoid" }],
  ["tanh", operator("Tanh", Math.tanh, { name: "Tanh" })],
  ["softmax", softmax],
  ["elu", elu(1)],
  ["selu", operator("Selu", (x) => SELU_SCALE * (x > 0 ? x : SELU_ALPHA * Math.expm1(x)))],
  ["softplus", operator("Softplus", softplus, { name: "Softplus" })],
  ["softsign", operator("Softsign", (x) => x / (1 + Math.abs(x)), { name: "Softsign" })],
  ["exponential", operator("Exp", Math.exp)],
  ["swish", swish],
  ["silu", swish],
  ["hard_sigmoid", hardSigmoid(1 / 6)],
  ["hard_silu", hardSwish],
  ["hard_swish", hardSwish],
  ["leaky_relu", leakyRelu(0.2)],
  [
    "relu6",
    elementwise(
      (graph, x) => clipped(graph, x, 0, 6),
      (x) => clamp(x, 0, 6),
    ),
  ],
  ["celu", elu(1)],
  // Keras' default is the exact function, not the approximation by tanh
  [
    "gelu",
    elementwise((graph, x) => {
      const half = graph.add("Mul", [x, graph.scalar(0.5)]);
      const erf = graph.add("Erf", [graph.add("Mul", [x, graph.scalar(Math.SQRT1_2)])]);
      return graph.add("Mul", [half, graph.add("Add", [erf, graph.scalar(1)])]);
    }),
  ],
  [
    "mish",
    elementwise(
      (graph, x) => graph.add("Mul", [x, graph.add("Tanh", [graph.add("Softplus", [x])])]),
      (x) => x * Math.tanh(softplus(x)),
    ),
  ],
  ["log_softmax", { emit: (graph, x) => graph.add("LogSoftmax", [x], { axis: -1 }) }],
  [
    "log_sigmoid",
    elementwise(
      (graph, x) => graph.add("Neg", [graph.add("Softplus", [graph.add("Neg", [x])])]),
      (x) => -softplus(-x),
    ),
  ],
  [
    "hard_tanh",
    elementwise(
      (graph, x) => clipped(graph, x, -1, 1),
      (x) => clamp(x, -1, 1),
    ),
  ],
  ["hard_shrink", shrink(0)],
  ["soft_shrink", shrink(0.5)],
  [
    "tanh_shrink",
    elementwise(
      (graph, x) => graph.add("Sub", [x, graph.add("Tanh", [x])]),
      (x) => x - Math.tanh(x),
    ),
  ],
  [
    "squareplus",
    elementwise(
      (graph, x) => {
        const root = graph.add("Sqrt", [graph.add("Add", [graph.add("Mul", [x, x]), graph.scalar(4)])]);
        return graph.add("Mul", [graph.add("Add", [x, root]), graph.scalar(0.5)]);
      },
      (x) => (x + Math.sqrt(x * x + 4)) / 2,
    ),
  ],
  // (x + 1)² / 4 between -1 and 1, and x above: the sum of x - 1 above 1 and of the square of x cut to [-1, 1]
  [
    "sparse_plus",
    elementwise(
      (graph, x) => {
        const inner = graph.add("Add", [clipped(graph, x, -1, 1), graph.scalar(1)]);
        const square = graph.add("Mul", [graph.add("Mul", [inner, inner]), graph.scalar(0.25)]);
        return graph.add("Add", [square, graph.add("Relu", [graph.add("Sub", [x, graph.scalar(1)])])]);
      },
      (x) => (clamp(x, -1, 1) + 1) ** 2 / 4 + Math.max(x - 1, 0),
    ),
  ],
  ["sparse_sigmoid", hardSigmoid(0.5)],
] satisfies [string, Activation][]);

/** The activations that are converted, and whether inside of recurrent layers too. */
export function activationNames(): { name: string; recurrent: boolean }[] {
  return [...activations].map(([name, { recurrent }]) => ({ name, recurrent: recurrent !== undefined }));
}

const HARD_SIGMOID_OF_2 = hardSigmoid(0.2);

/** What an ONNX attribute can hold. */
const float32 = z.number().refine((value) => Number.isFinite(Math.fround(value)));

/** Number as Keras wrote it over the years: alone, or as an array of none or one dimension. */
const kerasNumber = z.union([
  float32,
  z
    .object({
      value: z.union([
        float32,
        z
          .array(float32)
          .length(1)
          .transform(([value]) => value as number),
      ]),
    })
    .transform(({ value }) => value),
]);

/** A layer that is an activation with parameters. */
interface ActivationLayer {
  options: z.core.$ZodLooseShape;
  /** The activation with a layer's options, read by the above. */
  activation: (options: Record<string, unknown>) => Activation;
}

function activationLayer<Options extends z.core.$ZodLooseShape>(
  options: Options,
  activation: (options: z.infer<z.ZodObject<Options>>) => Activation,
): ActivationLayer {
  return { options, activation: activation as ActivationLayer["activation"] };
}

/** Layers that are an activation with parameters; Keras also takes them where a layer's option `activation` names a function. */
export const activationLayers: ReadonlyMap<string, ActivationLayer> = new Map([
  [
    "LeakyReLU",
    // Keras 2 calls it alpha
    activationLayer({ negative_slope: kerasNumber.optional(), alpha: kerasNumber.optional() }, (options) =>
      leakyRelu(options.negative_slope ?? options.alpha ?? 0.3),
    ),
  ],
  ["ELU", activationLayer({ alpha: kerasNumber.default(1) }, ({ alpha }) => elu(alpha))],
  [
    "ReLU",
    activationLayer(
      { max_value: kerasNumber.nullish(), negative_slope: kerasNumber.nullish(), threshold: kerasNumber.nullish() },
      (options) =>
        boundedRelu(options.max_value ?? Number.POSITIVE_INFINITY, options.negative_slope ?? 0, options.threshold ?? 0),
    ),
  ],
]);

/** x above the threshold, cut at the largest value; below it, the slope times the distance to it. */
function boundedRelu(largest: number, slope: number, threshold: number): Activation {
  const compute = (x: number) => (x > threshold ? Math.min(x, largest) : slope * (x - threshold));
  return elementwise((graph, x) => {
    if (threshold === 0 && slope === 0)
      return largest === Number.POSITIVE_INFINITY ? graph.add("Relu", [x]) : clipped(graph, x, 0, largest);
    const bound = graph.scalar(threshold);
    return graph.add("Where", [
      graph.add("Greater", [x, bound]),
      largest === Number.POSITIVE_INFINITY ? x : graph.add("Min", [x, graph.scalar(largest)]),
      slope === 0 ? graph.scalar(0) : graph.add("Mul", [graph.add("Sub", [x, bound]), graph.scalar(slope)]),
    ]);
  }, compute);
}

const functionSchema = z.object({
  class_name: z.literal("function"),
  config: z.string(),
  registered_name: z.string().nullish(),
});
const layerSchema = z.object({ class_name: z.string(), config: z.record(z.string(), z.unknown()) });

/** The activation that an option of a layer names; undefined where there is none that is converted. */
export function activationOf(value: unknown, generation: Generation): Activation | undefined {
  if (value === null || value === undefined) return activations.get("linear");
  if (typeof value === "string") {
    return value === "hard_sigmoid" && generation === 2 ? HARD_SIGMOID_OF_2 : activations.get(value);
  }
  const named = functionSchema.safeParse(value);
  if (named.success) {
    return named.data.registered_name?.includes(">") ? undefined : activationOf(named.data.config, generation);
  }
  const layer = layerSchema.safeParse(value);
  const kind = layer.data && activationLayers.get(layer.data.class_name);
  const options = kind && z.object(kind.options).safeParse(layer.data?.config);
  return options?.data && kind?.activation(options.data);
}
