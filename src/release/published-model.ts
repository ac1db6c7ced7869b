import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestOf, hexOf, shortPath } from "../common/digest.ts";
import { isErrno, SlipwayError } from "../common/errors.ts";
import { pathExists } from "../common/files.ts";
import { cacheHome } from "../common/home.ts";
import { unpackAs } from "../guest/source.ts";
import type { PublicationPlace } from "./publication.ts";
import { modelPath } from "./published-files.ts";
import { containerName, ensureSigningKey } from "./signing-key.ts";

const UNPACK_MS = 60_000;

/** A model's package, unpacked in this machine's cache, where it stays. */
export async function unpackedModel(digest: Digest, bytes: () => Promise<Uint8Array>): Promise<string> {
  const folder = join(cacheHome(), "models", hexOf(digest));
  if (await pathExists(folder)) return folder;
  try {
    await unpackAs(folder, shortPath(`models/${hexOf(digest)}.tar`), UNPACK_MS, async (archive) =>
      writeFile(archive, await bytes(), { mode: 0o600 }),
    );
  } catch (error) {
    // another command was faster
    if (!isErrno(error, "ENOTEMPTY") && !isErrno(error, "EEXIST")) throw error;
  }
  return folder;
}

/**
 * A published model's package, unpacked here: out of the cache, else out of the stack's store.
 * @throws SlipwayError E_PAYLOAD_MISSING where it is not in the store, or is not what its digest says
 */
export async function publishedModel(
  place: PublicationPlace,
  { path, digest }: { path: string; digest: Digest },
): Promise<string> {
  return unpackedModel(digest, async () => {
    const bytes = await storedModel(place, digest);
    if (bytes !== undefined) return bytes;
    throw new SlipwayError("E_PAYLOAD_MISSING", `${shortPath(path)} is not in the stack's store any more`, {
      hint: "Release the model from its folder with `slipway deploy --model`.",
    });
  });
}

/** A model's package as it lies in the stack's store; undefined where there is none, or not what its digest says. */
export async function storedModel(
  { store, stack, home }: PublicationPlace,
  digest: Digest,
): Promise<Uint8Array | undefined> {
  const bytes = await store.get(containerName(stack, await ensureSigningKey(home)), modelPath(digest));
  return bytes !== undefined && digestOf(bytes) === digest ? bytes : undefined;
}
