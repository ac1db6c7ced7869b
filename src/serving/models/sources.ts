import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isErrno, SlipwayError } from "../../common/errors.ts";

/** The files that a model is made of, by what they are for. */
export interface ModelSources {
  /** Either an ONNX file … */
  onnx: string | undefined;
  /** … or Keras' weights, perhaps with the description inside, … */
  weights: string | undefined;
  /** … and the description, where it is a file of its own. */
  description: string | undefined;
  golden: string | undefined;
  data: string | undefined;
}

/**
 * Finds a model's files in a folder, or beside an ONNX file.
 * @throws SlipwayError E_MODEL_INVALID when there is none, half of one, or more than one
 */
export async function modelSources(path: string): Promise<ModelSources> {
  const isFile = (await statOf(path)).isFile();
  const folder = isFile ? dirname(path) : path;
  const names = (await readdir(folder)).sort();
  const find = (name: string) => (names.includes(name) ? join(folder, name) : undefined);
  const beside = { golden: find("golden.json"), data: dataFile(folder, names) };
  if (isFile) {
    if (!path.endsWith(".onnx")) throw invalid(`${basename(path)} is no ONNX file`);
    return { onnx: path, weights: undefined, description: undefined, ...beside };
  }
  const [description, weights] = [find("model.json"), find("model.h5")];
  if (weights) return { onnx: undefined, weights, description, ...beside };
  if (description) throw invalid(`${folder} has model.json and no weights (model.h5)`);
  const candidates = names.filter((name) => name.endsWith(".onnx"));
  const onnx = candidates.includes("model.onnx") ? "model.onnx" : candidates[0];
  if (onnx === undefined) throw invalid(`${folder} holds no model`);
  if (onnx !== "model.onnx" && candidates.length > 1) throw invalid(`${folder} holds ${candidates.join(", ")}: which?`);
  return { onnx: join(folder, onnx), weights: undefined, description: undefined, ...beside };
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
    hint: "Name a folder with model.json and model.h5 (Keras), a whole model.h5, or model.onnx.",
  });
}
