/** A dense layer, trained or to be trained. Numbers are float64 here and float32 in what is exported. */
export interface DenseLayer {
  kind: "dense";
  name: string;
  inputs: number;
  outputs: number;
  /** inputs × outputs, row-major. */
  kernel: Float64Array;
  /** Undefined for a layer without one. */
  bias: Float64Array | undefined;
  /** Penalty l2 · Σ w² on the kernel. */
  l2: number;
}

interface ActivationLayer {
  kind: "activation";
  name: string;
  /** Keras' name of it. */
  activation: string;
}

/** Sets a share of a training row's numbers to zero and scales the others up; nothing when a model serves. */
interface DropoutLayer {
  kind: "dropout";
  name: string;
  rate: number;
}

/** A layer of a network; a Dense layer of Keras with an activation is two of them. */
export type MlpLayer = DenseLayer | ActivationLayer | DropoutLayer;

/** A feed-forward network from rows of `features` numbers to rows of `outputs` numbers. */
export interface Mlp {
  name: string;
  features: number;
  outputs: number;
  layers: MlpLayer[];
}

/** The network's dense layers in order; it has one at least. */
export function denseLayers({ layers }: Mlp): DenseLayer[] {
  return layers.filter((layer) => layer.kind === "dense");
}

/** Weights and biases, counted. */
export function parameterCount(network: Mlp): number {
  return denseLayers(network).reduce((sum, { kernel, bias }) => sum + kernel.length + (bias?.length ?? 0), 0);
}

/** The activation that the network ends with. */
export function lastActivation({ layers }: Mlp): string {
  const last = layers.at(-1);
  return last?.kind === "activation" ? last.activation : "linear";
}

/**
 * A copy with arrays of its own, each the part of one array that holds all parameters: what updates them is one loop.
 * @returns the copy and that array
 */
export function withFlatParameters(network: Mlp): { network: Mlp; parameters: Float64Array } {
  const parameters = new Float64Array(parameterCount(network));
  let at = 0;
  const place = (values: Float64Array) => {
    const part = parameters.subarray(at, at + values.length);
    part.set(values);
    at += values.length;
    return part;
  };
  const layers = network.layers.map((layer): MlpLayer => {
    if (layer.kind !== "dense") return { ...layer };
    return { ...layer, kernel: place(layer.kernel), bias: layer.bias && place(layer.bias) };
  });
  return { network: { ...network, layers }, parameters };
}

/** The network as single precision holds it: what is served. */
export function roundedToSingle(network: Mlp): Mlp {
  const round = (values: Float64Array) => Float64Array.from(values, Math.fround);
  const layers = network.layers.map((layer): MlpLayer => {
    if (layer.kind !== "dense") return layer;
    return { ...layer, kernel: round(layer.kernel), bias: layer.bias && round(layer.bias) };
  });
  return { ...network, layers };
}
