/** An activation over rows of one width, and its derivative. */
export interface ActivationFunction {
  /** Writes f(z) of the first `length` numbers, row after row, to `y`. */
  forward(z: Float64Array, y: Float64Array, length: number, width: number): void;
  /** Turns `d`, the loss's derivative by y, into that by z. */
  backward(z: Float64Array, y: Float64Array, d: Float64Array, length: number, width: number): void;
}

/** @param slope f′ from z and y = f(z) */
function elementwise(value: (z: number) => number, slope: (z: number, y: number) => number): ActivationFunction {
  return {
    forward: (z, y, length) => {
      for (let i = 0; i < length; i++) y[i] = value(z[i] as number);
    },
    backward: (z, y, d, length) => {
      for (let i = 0; i < length; i++) d[i] = (d[i] as number) * slope(z[i] as number, y[i] as number);
    },
  };
}

/** 1 / (1 + e⁻ᶻ), without overflow. */
function sigmoid(z: number): number {
  if (z >= 0) return 1 / (1 + Math.exp(-z));
  const power = Math.exp(z);
  return power / (1 + power);
}

const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

const softmax: ActivationFunction = {
  forward: (z, y, length, width) => {
    for (let row = 0; row < length; row += width) {
      let largest = Number.NEGATIVE_INFINITY;
      for (let i = row; i < row + width; i++) largest = Math.max(largest, z[i] as number);
      let sum = 0;
      for (let i = row; i < row + width; i++) {
        const power = Math.exp((z[i] as number) - largest);
        y[i] = power;
        sum += power;
      }
      for (let i = row; i < row + width; i++) y[i] = (y[i] as number) / sum;
    }
  },
  backward: (_z, y, d, length, width) => {
    for (let row = 0; row < length; row += width) {
      let mean = 0;
      for (let i = row; i < row + width; i++) mean += (y[i] as number) * (d[i] as number);
      for (let i = row; i < row + width; i++) d[i] = (y[i] as number) * ((d[i] as number) - mean);
    }
  },
};

const swish = elementwise(
  (z) => z * sigmoid(z),
  (z, y) => sigmoid(z) * (1 + z - y),
);

/** By Keras' names: those that Slipway's conversion to ONNX knows. */
export const activationFunctions: ReadonlyMap<string, ActivationFunction> = new Map([
  [
    "linear",
    {
      forward: (z, y, length) => {
        for (let i = 0; i < length; i++) y[i] = z[i] as number;
      },
      backward: () => undefined,
    },
  ],
  [
    "relu",
    elementwise(
      (z) => (z > 0 ? z : 0 * z), // not 0: what is no number must stay none, so that a diverged training shows
      (z) => (z > 0 ? 1 : 0),
    ),
  ],
  ["sigmoid", elementwise(sigmoid, (_z, y) => y * (1 - y))],
  ["tanh", elementwise(Math.tanh, (_z, y) => 1 - y * y)],
  ["softmax", softmax],
  [
    "elu",
    elementwise(
      (z) => (z > 0 ? z : Math.expm1(z)),
      (z, y) => (z > 0 ? 1 : y + 1),
    ),
  ],
  [
    "selu",
    elementwise(
      (z) => SELU_SCALE * (z > 0 ? z : SELU_ALPHA * Math.expm1(z)),
      (z, y) => (z > 0 ? SELU_SCALE : y + SELU_SCALE * SELU_ALPHA),
    ),
  ],
  ["softplus", elementwise((z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))), sigmoid)],
  [
    "softsign",
    elementwise(
      (z) => z / (1 + Math.abs(z)),
      (z) => 1 / ((1 + Math.abs(z)) * (1 + Math.abs(z))),
    ),
  ],
  ["exponential", elementwise(Math.exp, (_z, y) => y)],
  ["swish", swish],
  ["silu", swish],
] satisfies [string, ActivationFunction][]);
