import { readdir } from "node:fs/promises";
import { functionFile } from "./function/bundle.ts";
import { importFunction } from "./function/import.ts";
import { importModel } from "./import.ts";
import { type AnyPackage, isPackage, readPackage } from "./package.ts";
import { loadPackage } from "./verify.ts";

const NETWORK = /\.(onnx|h5|hdf5|keras)$|^model\.json$/;

/**
 * Makes a package of whatever a path names: a package's own folder, a function's module, or a folder with one and no network, else a
 * network (`importModel`).
 * @throws SlipwayError E_MODEL_INVALID, E_MODEL_LAYER_UNKNOWN, E_MODEL_MISMATCH; E_GATE_FAILED for a package that fails its golden rows
 */
export async function importAnyModel(path: string): Promise<AnyPackage> {
  if (await isPackage(path)) return checkedPackage(path);
  const file = (await holdsNetwork(path)) ? undefined : await functionFile(path);
  return file === undefined ? importModel(path) : importFunction(file);
}

/** What was packed stays as it is, with its digest; it has answered its golden questions here. */
async function checkedPackage(folder: string): Promise<AnyPackage> {
  const model = await loadPackage(folder);
  await model.close();
  return readPackage(folder);
}

async function holdsNetwork(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => []); // a file, or nothing at all
  return names.some((name) => NETWORK.test(name));
}
