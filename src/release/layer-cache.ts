import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type Digest, digestOf, digestOfFile, hexOf } from "../common/digest.ts";
import { digestSchema } from "../common/digest-schema.ts";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import { type ArchiveEntry, writeArchive } from "./archive.ts";

/** A part of the payload, packed. */
export interface Layer {
  /** The .tar.gz in the cache. */
  file: string;
  digest: Digest;
  /** Bytes. */
  size: number;
}

const noteSchema = z.object({
  digest: digestSchema,
  size: z.number().int(),
});

/**
 * The layer that a recipe makes. It is packed once: the cache knows the layer's digest by the recipe's.
 * @param recipe everything that the content depends on
 * @param entries called when the layer must be packed
 */
export async function cachedLayer(
  folder: string,
  recipe: string,
  entries: () => Promise<ArchiveEntry[]>,
): Promise<{ layer: Layer; packed: boolean }> {
  const note = join(folder, `recipe-${hexOf(digestOf(recipe))}.json`);
  const known = await readTextIfExists(note);
  if (known !== undefined) {
    const { digest, size } = noteSchema.parse(JSON.parse(known));
    const file = fileOf(folder, digest);
    if (existsSync(file) && (await stat(file)).size === size) return { layer: { file, digest, size }, packed: false };
  }
  const layer = await packLayer(folder, await entries());
  await writeFileAtomic(note, `${JSON.stringify({ digest: layer.digest, size: layer.size })}\n`);
  return { layer, packed: true };
}

async function packLayer(folder: string, entries: ArchiveEntry[]): Promise<Layer> {
  await mkdir(folder, { recursive: true });
  const temporary = join(folder, `packing-${randomUUID()}.tar.gz`);
  try {
    await writeArchive(temporary, entries);
    const digest = await digestOfFile(temporary);
    const { size } = await stat(temporary);
    const file = fileOf(folder, digest);
    await rename(temporary, file);
    return { file, digest, size };
  } finally {
    await rm(temporary, { force: true });
  }
}

function fileOf(folder: string, digest: Digest): string {
  return join(folder, `${hexOf(digest)}.tar.gz`);
}
