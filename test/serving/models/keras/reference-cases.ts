import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { zstdDecompressSync } from "node:zlib";
import { extract } from "tar-stream";
import type { NumericDatatype } from "../../../../src/serving/tensors/datatypes.ts";
import { type RawTensor, tensorOf } from "../../../../src/serving/tensors/raw-tensor.ts";

/** A tensor as `make.py` wrote it. */
interface RecordedTensor {
  shape: number[];
  dtype: "float32" | "float64" | "int32";
  values: number[];
}

/** A reference model: its files by name, and what Keras computed in float64. */
export interface ReferenceCase {
  /** `keras2` or `keras3`, and which layers it shows. */
  name: string;
  generation: 2 | 3;
  files: Map<string, Buffer>;
  inputs: RecordedTensor[];
  inputNames: string[];
  outputs: RecordedTensor[];
}

/** The folders of the archive, and their files by name. */
async function archived(): Promise<Map<string, Map<string, Buffer>>> {
  const archive = extract();
  Readable.from([zstdDecompressSync(readFileSync(new URL("reference/cases.tar.zst", import.meta.url)))]).pipe(archive);
  const cases = new Map<string, Map<string, Buffer>>();
  for await (const entry of archive) {
    const [generation, name, ...path] = entry.header.name.split("/");
    const key = `${generation}/${name}`;
    const files = cases.get(key) ?? new Map<string, Buffer>();
    files.set(path.join("/"), await buffer(entry));
    cases.set(key, files);
  }
  return cases;
}

/** All reference models. */
export async function referenceCases(): Promise<ReferenceCase[]> {
  return [...(await archived())]
    .filter(([name]) => !name.startsWith("hostile/"))
    .map(([name, files]) => ({
      name,
      generation: name.startsWith("keras2") ? 2 : 3,
      files,
      ...JSON.parse((files.get("expected.json") as Buffer).toString()),
    }));
}

/** HDF5 files that no Keras writes, by what is wrong with them. */
export async function hostileFiles(): Promise<{ what: string; content: Buffer }[]> {
  return [...(await archived())]
    .filter(([name]) => name.startsWith("hostile/"))
    .map(([name, files]) => ({ what: name.slice("hostile/".length), content: files.get("model.h5") as Buffer }));
}

/** Writes a case's files below a folder and answers the case's own. */
export async function writeCase(folder: string, { name, files }: ReferenceCase): Promise<string> {
  for (const [path, content] of files) {
    await mkdir(dirname(join(folder, name, path)), { recursive: true });
    await writeFile(join(folder, name, path), content);
  }
  return join(folder, name);
}

/** A recorded input as a model takes it. */
export function rawInput({ shape, dtype, values }: RecordedTensor): RawTensor {
  const arrays: Record<string, [NumericDatatype, Float32Array | Int32Array]> = {
    float32: ["FP32", Float32Array.from(values)],
    int32: ["INT32", Int32Array.from(values)],
  };
  const [datatype, array] = arrays[dtype] as [NumericDatatype, Float32Array];
  return tensorOf(datatype, shape, array);
}
