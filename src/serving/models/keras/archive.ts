import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import type { Entry, ZipFile } from "yauzl";
import yauzl from "yauzl";
import { z } from "zod";
import { messageOf, SlipwayError } from "../../../common/errors.ts";
import { invalid } from "./errors.ts";
import { MOST_DESCRIPTION_BYTES, parsedJson } from "./json.ts";
import { readKerasHdf5 } from "./weights/hdf5-thread.ts";
import type { KerasHdf5 } from "./weights/keras-hdf5.ts";

const CONFIG = "config.json";
const METADATA = "metadata.json";
const WEIGHTS = "model.weights.h5";
/** Bytes of an entry, unpacked. */
const MOST_BYTES: ReadonlyMap<string, number> = new Map([
  [CONFIG, MOST_DESCRIPTION_BYTES],
  [METADATA, 64 * 1024],
  [WEIGHTS, 2 * 1024 ** 3],
]);
/** How much larger than packed an entry may be, from so many bytes on: weights hardly pack at all. */
const MOST_PACKED = { times: 100, from: 64 * 1024 ** 2 };
const MOST_ENTRIES = 10_000;

/**
 * Reads a `.keras` file: a zip archive of the description, the version of Keras and the weights.
 * @throws SlipwayError E_MODEL_INVALID when it is none, is damaged, or has entries that no such file has
 */
export async function readKerasArchive(path: string, name: string): Promise<KerasHdf5> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-keras-"));
  try {
    const weights = join(folder, WEIGHTS); // libhdf5 reads files, not memory
    const texts = await unpacked(path, name, weights);
    const json = (entry: string) => parsedJson(`${entry} in ${name}`, texts.get(entry) ?? "");
    const metadata = z.object({ keras_version: z.string() }).safeParse(json(METADATA));
    if (!metadata.success) throw invalid(`${METADATA} in ${name} names no version of Keras`);
    const file = await readKerasHdf5(weights, `${WEIGHTS} in ${name}`);
    return { ...file, description: json(CONFIG), version: metadata.data.keras_version };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/**
 * Unpacks the weights into a file.
 * @returns the other entries that matter, by name
 */
async function unpacked(path: string, name: string, weights: string): Promise<Map<string, string>> {
  try {
    const zip = await yauzl.openPromise(path, { lazyEntries: true });
    try {
      return await unpackedFrom(zip, weights);
    } finally {
      zip.close();
    }
  } catch (error) {
    if (error instanceof SlipwayError) throw error;
    throw invalid(`${name} cannot be read: ${messageOf(error)}`, error);
  }
}

async function unpackedFrom(zip: ZipFile, weights: string): Promise<Map<string, string>> {
  if (zip.entryCount > MOST_ENTRIES) throw new Error(`it has ${zip.entryCount} entries`);
  const found = new Set<string>();
  const texts = new Map<string, string>();
  // the library refuses absolute names and those that lead out of the archive
  for await (const entry of zip.eachEntry()) {
    const most = MOST_BYTES.get(entry.fileName);
    if (most === undefined) continue; // assets of layers that are not converted
    if (found.has(entry.fileName)) throw new Error(`it has two entries ${entry.fileName}`);
    found.add(entry.fileName);
    requireModestSize(entry, most);
    // the library ends the stream with an error where it is longer or shorter than the entry declares
    const content = await zip.openReadStreamPromise(entry);
    if (entry.fileName === WEIGHTS) await pipeline(content, createWriteStream(weights, { mode: 0o600 }));
    else texts.set(entry.fileName, (await buffer(content)).toString("utf8"));
  }
  for (const name of MOST_BYTES.keys()) if (!found.has(name)) throw new Error(`it has no ${name}`);
  return texts;
}

/** Before anything is unpacked. */
function requireModestSize({ fileName, uncompressedSize, compressedSize }: Entry, most: number): void {
  const bomb = uncompressedSize > MOST_PACKED.from && uncompressedSize > compressedSize * MOST_PACKED.times;
  if (uncompressedSize > most || bomb) {
    throw new Error(`${fileName} declares ${uncompressedSize} bytes, packed ${compressedSize}`);
  }
}
