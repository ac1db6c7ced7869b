import { readdir } from "node:fs/promises";
import { functionFile } from "./function/bundle.ts";
import { importFunction } from "./function/import.ts";
import { importModel } from "./import.ts";
import type { AnyPackage } from "./package.ts";

const NETWORK = /\.(onnx|h5|hdf5|keras)$|^model\.json$/;

/**
 * Makes a package of whatever a path names: a function's module, or a folder with one and no network, else a network (`importModel`).
 * @throws SlipwayError E_MODEL_INVALID, E_MODEL_LAYER_UNKNOWN, E_MODEL_MISMATCH
 */
export async function importAnyModel(path: string): Promise<AnyPackage> {
  const file = (await holdsNetwork(path)) ? undefined : await functionFile(path);
  return file === undefined ? importModel(path) : importFunction(file);
}

async function holdsNetwork(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => []); // a file, or nothing at all
  return names.some((name) => NETWORK.test(name));
}
