import type { LayerWeights, WeightArray } from "../graph.ts";

/** Weights as a file holds them, before anybody knows which layer they are of. */
export type StoredWeights =
  /** Keras 2, and Keras 3 where it writes whole models as HDF5: the arrays of each layer of the outermost model, by name. */
  | { layout: "by-layer"; layers: LayerWeights[] }
  /** Keras 3: arrays by number in folders that follow the model's structure, e.g. `layers/dense_1`, `layers/lstm/cell`. */
  | { layout: "by-place"; places: Map<string, StoredPlace> };

export interface StoredPlace {
  /** The layer's name, which newer versions note. */
  name: string | undefined;
  arrays: Omit<WeightArray, "name">[];
}
