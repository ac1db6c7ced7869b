import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from "node:crypto";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gunzipSync } from "node:zlib";
import { extract } from "tar-stream";
import { type Digest, digestOf } from "../common/digest.ts";
import { SlipwayError } from "../common/errors.ts";
import { filesBelow, pathExists, writeFileAtomic } from "../common/files.ts";
import { writeArchive } from "./archive.ts";

const MAGIC = Buffer.from("slipway-home/1\n");
const [SALT_BYTES, IV_BYTES, TAG_BYTES, KEY_BYTES] = [16, 12, 16, 32];

/** What another machine needs to go on with a project's stacks: their state, keys, counters and pins. */
export interface HomeBundle {
  /** A .tar.gz whose bytes depend on the files' names and contents alone. */
  content: Buffer;
  digest: Digest;
  files: number;
}

/**
 * Bundles a Slipway home without what is made anew (layers, the embedded cloud), without locks, and without the passphrase, which seals
 * the bundle. Backups of states stay where they are.
 */
export async function bundleHome(home: string): Promise<HomeBundle> {
  const names = await bundledFiles(home);
  const folder = await mkdtemp(join(tmpdir(), "slipway-bundle-"));
  try {
    await chmod(folder, 0o700);
    const file = join(folder, "home.tar.gz");
    const read = async (name: string) => ({ name, content: { bytes: await readFile(join(home, name)) } });
    await writeArchive(file, await Promise.all(names.map(read)));
    const content = await readFile(file);
    return { content, digest: digestOf(content), files: names.length };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function bundledFiles(home: string): Promise<string[]> {
  return (await pathExists(home)) ? (await filesBelow(home)).filter(isBundled) : [];
}

/** Writes a bundle's files into a home, readable by the owner alone, and removes those of the home that it does not have. */
export async function unbundleHome(home: string, content: Buffer): Promise<number> {
  const files = new Map<string, Buffer>();
  const archive = extract();
  Readable.from([gunzipSync(content)]).pipe(archive);
  for await (const entry of archive) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
    const { name } = entry.header;
    if (!isBundled(name)) throw new SlipwayError("E_STATE_DAMAGED", `the bundle has a file ${name}`, damagedHint);
    files.set(name, Buffer.concat(chunks));
  }
  const present = await bundledFiles(home);
  for (const [name, bytes] of files) await writeFileAtomic(join(home, name), bytes);
  for (const name of present) if (!files.has(name)) await rm(join(home, name));
  return files.size;
}

/** Seals a bundle: AES-256-GCM, with a key that scrypt makes of the passphrase and a salt of its own. */
export function sealBundle(content: Buffer, passphrase: string): Buffer {
  const [salt, iv] = [randomBytes(SALT_BYTES), randomBytes(IV_BYTES)];
  const cipher = createCipheriv("aes-256-gcm", scryptSync(passphrase, salt, KEY_BYTES), iv).setAAD(MAGIC);
  const sealed = Buffer.concat([cipher.update(content), cipher.final()]);
  return Buffer.concat([MAGIC, salt, iv, cipher.getAuthTag(), sealed]);
}

/** @throws SlipwayError E_STATE_DAMAGED for what is no bundle, E_PASSPHRASE_WRONG */
export function openBundle(document: Buffer, passphrase: string): Buffer {
  if (!document.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new SlipwayError("E_STATE_DAMAGED", "this is no bundle of a Slipway home", damagedHint);
  }
  const [saltEnd, ivEnd, tagEnd] = [SALT_BYTES, SALT_BYTES + IV_BYTES, SALT_BYTES + IV_BYTES + TAG_BYTES];
  const rest = document.subarray(MAGIC.length);
  const [salt, iv, tag] = [rest.subarray(0, saltEnd), rest.subarray(saltEnd, ivEnd), rest.subarray(ivEnd, tagEnd)];
  try {
    const decipher = createDecipheriv("aes-256-gcm", scryptSync(passphrase, salt, KEY_BYTES), iv);
    decipher.setAAD(MAGIC).setAuthTag(tag);
    return Buffer.concat([decipher.update(rest.subarray(tagEnd)), decipher.final()]);
  } catch (cause) {
    throw new SlipwayError("E_PASSPHRASE_WRONG", "the bundle is sealed with another passphrase, or is damaged", {
      hint: "Set PULUMI_CONFIG_PASSPHRASE to the passphrase of the home that was saved, which is in its file `passphrase`.",
      cause,
    });
  }
}

const damagedHint = { hint: "Save the home again with `slipway home save` where it is whole." };

/** State, the stacks' own files, and the login key. */
function isBundled(name: string): boolean {
  if (name.includes("..") || name.endsWith(".tmp")) return false;
  if (/^id_ed25519(\.pub)?$/.test(name)) return true;
  if (name.startsWith("state/")) return !/^state\/\.pulumi\/(backups|locks)\//.test(name);
  return /^stacks\/[^/]+\/[^/]+$/.test(name) && !/\/operation\.(lock|json)/.test(name);
}
