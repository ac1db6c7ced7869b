import type { Group } from "h5wasm/node";
import { invalid } from "../errors.ts";
import { parsedJson } from "../json.ts";
import { type Hdf5File, readHdf5 } from "./hdf5.ts";
import type { StoredPlace, StoredWeights } from "./stored.ts";

/** What a Keras HDF5 file holds. */
export interface KerasHdf5 {
  /** The network's description; only in files of whole models, not in those of weights alone. */
  description: unknown;
  /** Of Keras, where the file notes it. */
  version: string | undefined;
  weights: StoredWeights;
}

/** What Keras 3 stores beside the layers: the state of training, and counters that a new run begins anew. */
const NO_WEIGHTS: ReadonlySet<string> = new Set([
  "optimizer",
  "metrics",
  "_metrics",
  "compile_metrics",
  "_compile_metrics",
]);

/**
 * Reads an HDF5 file of Keras 2 or 3, a whole model or weights alone, in this thread. See {@link readHdf5}.
 * @param name what the file is called in errors
 */
export function readKerasHdf5Here(path: string, name: string): Promise<KerasHdf5> {
  return readHdf5(path, name, readOpenFile);
}

function readOpenFile(file: Hdf5File): KerasHdf5 {
  const config = file.text(file.root, "model_config");
  // a whole model keeps the weights one group deeper than weights alone are kept
  const root = config === undefined ? file.root : file.group(file.root, "model_weights");
  if (root === undefined) throw new Error("the group model_weights is missing");
  const version = file.text(file.root, "keras_version") ?? file.text(root, "keras_version");
  const names = file.texts(root, "layer_names");
  return {
    description: config === undefined ? undefined : parsedJson("its model_config", config),
    version,
    weights:
      names === undefined
        ? byPlace(file, root)
        : { layout: "by-layer", layers: names.map((layer) => byLayer(file, root, layer)) },
  };
}

function byLayer(file: Hdf5File, root: Group, layer: string) {
  const group = file.group(root, layer);
  if (group === undefined) throw new Error(`the group ${layer} is missing`);
  const names = file.texts(group, "weight_names");
  if (names === undefined) throw new Error(`${group.path} has no weight_names, which Keras writes`);
  return { layer, tensors: names.map((name) => ({ name, ...file.array(group, name) })) };
}

function byPlace(file: Hdf5File, root: Group): StoredWeights {
  if (!["layers", "_layer_checkpoint_dependencies"].some((name) => file.group(root, name))) {
    throw invalid("the HDF5 file holds no layers, as Keras writes them");
  }
  const places = new Map<string, StoredPlace>();
  for (const { path, group } of file.groupsBelow(root, NO_WEIGHTS)) {
    if (!path.endsWith("/vars") || path.endsWith("/seed_generator/vars")) continue;
    const count = group.keys().length;
    const arrays = Array.from({ length: count }, (_, index) => file.array(group, String(index)));
    places.set(path.slice(0, -"/vars".length), { name: file.text(group, "name"), arrays });
  }
  return { layout: "by-place", places };
}
