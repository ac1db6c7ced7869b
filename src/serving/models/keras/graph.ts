/** Which Keras a model was written by: some names mean different functions in Keras 2 and Keras 3. */
export type Generation = 2 | 3;

/** A tensor of a model's graph: an output of a layer's call. */
export interface TensorRef {
  layer: string;
  /** Which of the layer's calls: a layer that is used twice computes twice, with the same weights. */
  call: number;
  /** Which of the call's outputs. */
  output: number;
}

/** A layer as its description tells, or a model that is used as a layer. */
export interface KerasLayer {
  name: string;
  className: string;
  config: Readonly<Record<string, unknown>>;
  trainable: boolean;
  /** The tensors that each of its calls takes. */
  calls: TensorRef[][];
  /** The layers inside of a nested model. */
  model: KerasModel | undefined;
}

/** A network without weights: what the readers of Keras' files make, and the conversion takes. */
export interface KerasModel {
  name: string;
  className: string;
  generation: Generation;
  /** In the order of the description, which is the order of the weights. */
  layers: KerasLayer[];
  inputs: TensorRef[];
  outputs: TensorRef[];
  /** All calls in an order in which each has what it takes. */
  order: { layer: KerasLayer; call: number }[];
}

/** An array of weights, row-major, without the rows of a batch. */
export interface WeightArray {
  name: string;
  shape: number[];
  values: Float32Array;
}

/** A layer's arrays in Keras' order. */
export interface LayerWeights {
  layer: string;
  tensors: WeightArray[];
}
