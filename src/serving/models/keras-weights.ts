import { open } from "node:fs/promises";
import { basename } from "node:path";
import type { File, Group, h5wasm } from "h5wasm/node";
import { messageOf, SlipwayError } from "../../common/errors.ts";

/** A layer's arrays by name: `kernel` (inputs × outputs, row-major), `bias`. */
export interface LayerWeights {
  layer: string;
  tensors: { name: string; shape: number[]; values: Float32Array }[];
}

/** What a Keras HDF5 file holds. */
export interface KerasFile {
  /** The network's description; only in files of `model.save`, not in those of `save_weights`. */
  description: unknown;
  /** Layers that have weights, in the network's order. */
  weights: LayerWeights[];
}

type Hdf5 = typeof h5wasm;

const HDF5_SIGNATURE = Buffer.from("\x89HDF\r\n\x1a\n", "latin1");

/**
 * Reads an HDF5 file of Keras 2, or of Keras 3's `model.save("x.h5")`.
 * @throws SlipwayError E_MODEL_INVALID when it is none, or damaged
 */
export async function readKerasFile(path: string): Promise<KerasFile> {
  await requireSignature(path);
  // Imported here: starting libhdf5's WebAssembly costs a fifth of a second, and only an import needs it.
  const { default: hdf5 } = await import("h5wasm/node");
  (await hdf5.ready).activate_throwing_error_handler(); // else libhdf5 prints its stack and answers nonsense
  let file: File | undefined;
  try {
    file = new hdf5.File(path, "r");
    return readOpenFile(hdf5, file);
  } catch (error) {
    throw invalid(path, rootCauseIn(messageOf(error)));
  } finally {
    file?.close();
  }
}

function readOpenFile(hdf5: Hdf5, file: Group): KerasFile {
  const config = file.attrs.model_config?.value;
  // `model.save` keeps the weights one group deeper than `save_weights` does
  const root = config === undefined ? file : groupAt(hdf5, file, "model_weights");
  const weights = namesIn(root, "layer_names").map((layer) => {
    const group = groupAt(hdf5, root, layer);
    return { layer, tensors: namesIn(group, "weight_names").map((name) => readTensor(hdf5, group, name)) };
  });
  return {
    description: typeof config === "string" ? JSON.parse(config) : undefined,
    weights: weights.filter(({ tensors }) => tensors.length > 0),
  };
}

function readTensor(hdf5: Hdf5, group: Group, path: string): LayerWeights["tensors"][number] {
  const dataset = group.get(path);
  if (!(dataset instanceof hdf5.Dataset)) throw new Error(`${group.path}/${path} is missing`);
  const { shape, value } = dataset;
  if (shape === null || !(value instanceof Float32Array || value instanceof Float64Array)) {
    throw new Error(`${group.path}/${path} does not hold floating-point numbers`);
  }
  // the last part of `dense_1/kernel:0`; the output index is TensorFlow's
  return { name: basename(path).replace(/:\d+$/, ""), shape, values: Float32Array.from(value) };
}

function groupAt(hdf5: Hdf5, parent: Group, path: string): Group {
  const group = parent.get(path);
  if (!(group instanceof hdf5.Group)) throw new Error(`the group ${path} is missing`);
  return group;
}

function namesIn(group: Group, attribute: string): string[] {
  const value = group.attrs[attribute]?.value;
  if (value === undefined) throw new Error(`${group.path} has no ${attribute}, which Keras writes`);
  // an empty list of names is stored as an empty array of numbers
  return Array.isArray(value) ? value.map(String) : [];
}

async function requireSignature(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    const start = Buffer.alloc(HDF5_SIGNATURE.length);
    await file.read(start, 0, start.length, 0);
    if (!start.equals(HDF5_SIGNATURE)) throw invalid(path, "it is no HDF5 file");
  } finally {
    await file.close();
  }
}

/** libhdf5 tells a whole stack, `#006: <file> line 577 in <function>(): <what>`, innermost last. */
function rootCauseIn(message: string): string {
  return [...message.matchAll(/^ *#\d+: .* in \w+\(\): (.*)$/gm)].at(-1)?.[1] ?? message;
}

function invalid(path: string, reason: string): SlipwayError {
  return new SlipwayError("E_MODEL_INVALID", `${basename(path)} cannot be read: ${reason}`, {
    hint: "Write it with Keras' model.save_weights('model.h5') or model.save('model.h5').",
  });
}
