import type { OnnxNode } from "./onnx-writer.ts";

/** An activation function twice: as ONNX nodes for serving, and in float64 for the check of those nodes. */
export interface Activation {
  /** The nodes that compute tensor `to` from tensor `from`. */
  nodes: (from: string, to: string) => OnnxNode[];
  apply: (values: number[]) => number[];
}

function elementwise(op: string, compute: (x: number) => number): Activation {
  return { nodes: (from, to) => [{ op, inputs: [from], output: to }], apply: (values) => values.map(compute) };
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
// The constants are those of both Keras and the ONNX operator's defaults.
const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

const swish: Activation = {
  nodes: (from, to) => [
    { op: "Sigmoid", inputs: [from], output: `${to}/gate` },
    { op: "Mul", inputs: [from, `${to}/gate`], output: to },
  ],
  apply: (values) => values.map((x) => x * sigmoid(x)),
};

const softmax: Activation = {
  nodes: (from, to) => [{ op: "Softmax", inputs: [from], output: to }],
  apply: (values) => {
    const largest = Math.max(...values);
    const powers = values.map((x) => Math.exp(x - largest));
    const sum = powers.reduce((total, power) => total + power, 0);
    return powers.map((power) => power / sum);
  },
};

/** By Keras' names. `hard_sigmoid` is left out on purpose: Keras 2 and Keras 3 mean different functions by it. */
export const activations: ReadonlyMap<string, Activation> = new Map([
  ["linear", { nodes: (from, to) => [{ op: "Identity", inputs: [from], output: to }], apply: (values) => values }],
  ["relu", elementwise("Relu", (x) => Math.max(0, x))],
  ["sigmoid", elementwise("Sigmoid", sigmoid)],
  ["tanh", elementwise("Tanh", Math.tanh)],
  ["softmax", softmax],
  ["elu", elementwise("Elu", (x) => (x > 0 ? x : Math.expm1(x)))],
  ["selu", elementwise("Selu", (x) => SELU_SCALE * (x > 0 ? x : SELU_ALPHA * Math.expm1(x)))],
  ["softplus", elementwise("Softplus", (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))))],
  ["softsign", elementwise("Softsign", (x) => x / (1 + Math.abs(x)))],
  ["exponential", elementwise("Exp", Math.exp)],
  ["swish", swish],
  ["silu", swish],
] satisfies [string, Activation][]);
