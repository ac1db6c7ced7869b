import { readdir, stat } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { isErrno, SlipwayError } from "../../common/errors.ts";

/** The files that a model is made of, by what they are for. */
export interface ModelSources {
  /** Either an ONNX file, … */
  onnx: string | undefined;
  /** … or a `.keras` file, … */
  archive: string | undefined;
  /** … or Keras' weights as HDF5, perhaps with the description inside, … */
  weights: string | undefined;
  /** … and the description, where it is a file of its own. */
  description: string | undefined;
  golden: string | undefined;
  data: string | undefined;
}

/** Weights with a description beside them; Keras 3 writes them under the second name only. */
const WEIGHTS = ["model.h5", "model.weights.h5"];

/**
 * Finds a model's files in a folder, or beside one of them.
 * @throws SlipwayError E_MODEL_INVALID when there is none, half of one, or more than one
 */
export async function modelSources(path: string): Promise<ModelSources> {
  const isFile = (await statOf(path)).isFile();
  const folder = isFile ? dirname(path) : path;
  const names = (await readdir(folder)).sort();
  const find = (name: string) => (names.includes(name) ? join(folder, name) : undefined);
  const none = { onnx: undefined, archive: undefined, weights: undefined, description: undefined };
  const model = isFile ? modelFile(path, find) : modelIn(folder, names, find);
  return { ...none, ...model, golden: find("golden.json"), data: dataFile(folder, names) };
}

type Find = (name: string) => string | undefined;

function modelFile(path: string, find: Find): Partial<ModelSources> {
  switch (extname(path)) {
    case ".onnx":
      return { onnx: path };
    case ".keras":
      return { archive: path };
    case ".h5":
    case ".hdf5":
      return { weights: path, description: WEIGHTS.includes(basename(path)) ? find("model.json") : undefined };
    default:
      throw invalid(`${basename(path)} is no ONNX file, and no .keras or .h5 file`);
  }
}

function modelIn(folder: string, names: string[], find: Find): Partial<ModelSources> {
  const description = find("model.json");
  const candidates = [...WEIGHTS, ...names.filter((name) => name.endsWith(".keras"))].filter((name) => find(name));
  const [found, ...others] = candidates;
  if (found !== undefined && others.length > 0 && find("model.keras") === undefined) {
    throw invalid(`${folder} holds ${candidates.join(", ")}: which?`);
  }
  const archive = find("model.keras") ?? (found?.endsWith(".keras") ? join(folder, found) : undefined);
  if (archive && candidates.some((name) => WEIGHTS.includes(name))) {
    throw invalid(`${folder} holds ${candidates.join(", ")}: which?`);
  }
  if (archive) return { archive };
  if (found) return { weights: join(folder, found), description };
  if (description) throw invalid(`${folder} has model.json and no weights (model.h5)`);
  return { onnx: join(folder, onnxFile(folder, names)) };
}

function onnxFile(folder: string, names: string[]): string {
  const candidates = names.filter((name) => name.endsWith(".onnx"));
  const onnx = candidates.includes("model.onnx") ? "model.onnx" : candidates[0];
  if (onnx === undefined) throw invalid(`${folder} holds no model`);
  if (onnx !== "model.onnx" && candidates.length > 1) throw invalid(`${folder} holds ${candidates.join(", ")}: which?`);
  return onnx;
}

function dataFile(folder: string, names: string[]): string | undefined {
  const candidates = names.filter((name) => name.endsWith(".csv"));
  const name = candidates.includes("data.csv") ? "data.csv" : candidates[0];
  if (name !== "data.csv" && candidates.length > 1) {
    throw invalid(`${folder} holds ${candidates.join(", ")}: name the one that travels with the model data.csv`);
  }
  return name && join(folder, name);
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) throw invalid(`${path} does not exist`);
    throw error;
  }
}

function invalid(reason: string): SlipwayError {
  return new SlipwayError("E_MODEL_INVALID", reason, {
    hint: "Name a folder with model.keras, with model.json and model.h5, with a whole model.h5, or with model.onnx; or such a file.",
  });
}
