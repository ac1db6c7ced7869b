import { type ActivationFunction, activationFunctions } from "./activation-functions.ts";
import type { DenseLayer, Mlp, MlpLayer } from "./network.ts";
import type { Random } from "./random.ts";

/**
 * Rows that go through the network at a time. Their intermediate results stay in the processor's caches, memory does not grow with the
 * batch, and a training can be cancelled between two of them.
 */
export const CHUNK_ROWS = 32;

interface Step {
  layer: MlpLayer;
  activation: ActivationFunction | undefined;
  inputWidth: number;
  width: number;
  /** Of the last forward pass, row after row. */
  output: Float64Array;
  /** The loss's derivative by the output. */
  derivative: Float64Array;
  /** The dropout's factors. */
  mask: Float64Array | undefined;
  /** The dense layer's part of the gradient. */
  kernelGradient: Float64Array | undefined;
  biasGradient: Float64Array | undefined;
}

/** Computes a network forwards and backwards over some rows at a time. Holds the buffers for {@link CHUNK_ROWS} rows. */
export class Passes {
  readonly #steps: Step[];
  readonly #network: Mlp;
  #input: Float64Array = new Float64Array(0);
  /** The loss's derivative by all parameters, in the order of the layers, each kernel before its bias; sums up until it is cleared. */
  readonly gradient: Float64Array;

  constructor(network: Mlp) {
    this.#network = network;
    this.gradient = new Float64Array(
      network.layers.reduce((sum, layer) => {
        return sum + (layer.kind === "dense" ? layer.kernel.length + (layer.bias?.length ?? 0) : 0);
      }, 0),
    );
    let width = network.features;
    let at = 0;
    const part = (length: number) => {
      at += length;
      return this.gradient.subarray(at - length, at);
    };
    this.#steps = network.layers.map((layer) => {
      const inputWidth = width;
      if (layer.kind === "dense") width = layer.outputs;
      return {
        layer,
        activation: layer.kind === "activation" ? activationFunctions.get(layer.activation) : undefined,
        inputWidth,
        width,
        output: new Float64Array(CHUNK_ROWS * width),
        derivative: new Float64Array(CHUNK_ROWS * width),
        mask: layer.kind === "dropout" ? new Float64Array(CHUNK_ROWS * width) : undefined,
        kernelGradient: layer.kind === "dense" ? part(layer.kernel.length) : undefined,
        biasGradient: layer.kind === "dense" && layer.bias ? part(layer.bias.length) : undefined,
      };
    });
  }

  /**
   * The outputs for at most {@link CHUNK_ROWS} rows.
   * @param random of the dropout layers: given in training alone
   * @returns a buffer that the next pass writes to
   */
  forward(input: Float64Array, rows: number, random?: Random): Float64Array {
    this.#input = input;
    let current = input;
    for (const step of this.#steps) {
      const { layer, output, width } = step;
      if (layer.kind === "dense") denseForward(layer, current, output, rows);
      else if (layer.kind === "activation") step.activation?.forward(current, output, rows * width, width);
      else dropoutForward(layer.rate, current, step, rows * width, random);
      current = output;
    }
    return current;
  }

  /** What the last step took in the last forward pass: behind a last activation its logits. */
  beforeLast(): Float64Array {
    return this.#steps.at(-2)?.output ?? this.#input;
  }

  /** Where the loss's derivative is put before {@link backward}: by the outputs, or by what the last step took. */
  derivativeAt(place: "outputs" | "logits"): Float64Array {
    return (this.#steps.at(place === "outputs" ? -1 : -2) as Step).derivative;
  }

  /** Adds to the gradient what the rows of the last forward pass, a training one, contribute. */
  backward(rows: number, from: "outputs" | "logits"): void {
    for (let index = this.#steps.length - (from === "outputs" ? 1 : 2); index >= 0; index--) {
      const step = this.#steps[index] as Step;
      const before = this.#steps[index - 1];
      const input = before?.output ?? this.#input;
      const { layer, derivative, output, width } = step;
      if (layer.kind === "dense") {
        parameterGradient(step, input, rows);
        if (before) inputDerivative(layer, derivative, before.derivative, rows);
      } else if (before) {
        const length = rows * width;
        if (layer.kind === "activation") step.activation?.backward(input, output, derivative, length, width);
        else for (let i = 0; i < length; i++) derivative[i] = (derivative[i] as number) * (step.mask?.[i] as number);
        before.derivative.set(derivative.subarray(0, length));
      }
    }
  }

  /** Adds the penalties' part to the gradient. @returns the penalties' sum */
  penalize(): number {
    let penalty = 0;
    for (const { layer, kernelGradient } of this.#steps) {
      if (layer.kind !== "dense" || layer.l2 === 0 || kernelGradient === undefined) continue;
      for (let i = 0; i < layer.kernel.length; i++) {
        kernelGradient[i] = (kernelGradient[i] as number) + 2 * layer.l2 * (layer.kernel[i] as number);
      }
      penalty += penaltyOf(layer);
    }
    return penalty;
  }

  /** The penalties' sum. */
  penalty(): number {
    return this.#network.layers.reduce((sum, layer) => sum + (layer.kind === "dense" ? penaltyOf(layer) : 0), 0);
  }
}

function penaltyOf({ l2, kernel }: DenseLayer): number {
  if (l2 === 0) return 0;
  let squares = 0;
  for (const weight of kernel) squares += weight * weight;
  return l2 * squares;
}

function denseForward({ inputs, outputs, kernel, bias }: DenseLayer, x: Float64Array, y: Float64Array, rows: number) {
  for (let row = 0; row < rows; row++) {
    const to = row * outputs;
    if (bias) y.set(bias, to);
    else y.fill(0, to, to + outputs);
    for (let from = 0; from < inputs; from++) {
      const value = x[row * inputs + from] as number;
      if (value === 0) continue; // half of a relu layer's outputs
      const weights = from * outputs;
      for (let o = 0; o < outputs; o++) y[to + o] = (y[to + o] as number) + value * (kernel[weights + o] as number);
    }
  }
}

function dropoutForward(rate: number, x: Float64Array, { output, mask }: Step, length: number, random?: Random) {
  if (random === undefined || mask === undefined || rate === 0) {
    mask?.fill(1, 0, length);
    output.set(x.subarray(0, length));
    return;
  }
  const scale = 1 / (1 - rate);
  for (let i = 0; i < length; i++) {
    const factor = random.uniform() < rate ? 0 : scale;
    mask[i] = factor;
    output[i] = (x[i] as number) * factor;
  }
}

function parameterGradient(
  { layer, derivative, kernelGradient, biasGradient }: Step,
  x: Float64Array,
  rows: number,
): void {
  const { inputs, outputs } = layer as DenseLayer;
  const gradient = kernelGradient as Float64Array;
  for (let row = 0; row < rows; row++) {
    const d = row * outputs;
    for (let from = 0; from < inputs; from++) {
      const value = x[row * inputs + from] as number;
      if (value === 0) continue;
      const weights = from * outputs;
      for (let o = 0; o < outputs; o++) {
        gradient[weights + o] = (gradient[weights + o] as number) + value * (derivative[d + o] as number);
      }
    }
    if (biasGradient) {
      for (let o = 0; o < outputs; o++) biasGradient[o] = (biasGradient[o] as number) + (derivative[d + o] as number);
    }
  }
}

function inputDerivative(
  { inputs, outputs, kernel }: DenseLayer,
  derivative: Float64Array,
  to: Float64Array,
  rows: number,
): void {
  for (let row = 0; row < rows; row++) {
    const d = row * outputs;
    for (let from = 0; from < inputs; from++) {
      const weights = from * outputs;
      let sum = 0;
      for (let o = 0; o < outputs; o++) sum += (kernel[weights + o] as number) * (derivative[d + o] as number);
      to[row * inputs + from] = sum;
    }
  }
}
