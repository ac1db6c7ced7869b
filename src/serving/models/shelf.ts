import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { extract } from "tar-stream";
import { type Digest, hexOf } from "../../common/digest.ts";
import { SlipwayError } from "../../common/errors.ts";
import { pathExists } from "../../common/files.ts";
import { packageTar, readPackage } from "./package.ts";
import { addVersion, type ModelIdentity, type Registry, useVersion } from "./registry.ts";
import { updateRegistry } from "./registry-file.ts";
import { loadPackage } from "./verify.ts";

/**
 * Unpacks a model's package into an empty folder.
 * @throws SlipwayError E_MODEL_INVALID for anything in it but plain files beside each other
 */
export async function unpackPackage(tar: Uint8Array, folder: string): Promise<void> {
  const entries = extract();
  entries.on("entry", ({ name, type }, stream, next) => {
    const write = async () => {
      if (type !== "file" || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
        throw new SlipwayError("E_MODEL_INVALID", `a model's package holds no ${type} ${JSON.stringify(name)}`);
      }
      await writeFile(join(folder, name), await buffer(stream));
      await chmod(join(folder, name), 0o644); // whatever the process' own mask
    };
    write().then(() => next(), next);
  });
  await pipeline(Readable.from([tar]), entries);
}

/**
 * Unpacks a model's package into an empty folder, and packs what is there as it was packed at first: whether it is what a digest says
 * is seen by comparing.
 */
export async function repack(tar: Uint8Array, folder: string) {
  await unpackPackage(tar, folder);
  const model = await readPackage(folder);
  return { model, ...(await packageTar(model)) };
}

/**
 * Takes a packed model into service under a name, with the next free version. The same digest under the same name is the
 * same version, however often this is asked.
 */
export async function publishPackage(
  modelsDir: string,
  tar: Uint8Array,
  digest: Digest,
  name: string,
): Promise<ModelIdentity> {
  await addToModels(modelsDir, tar, digest);
  let version = "";
  await updateRegistry(modelsDir, (registry) => {
    version = versionOf(registry, name, digest);
    return useVersion(addVersion(registry, { name, version, digest }), name, version);
  });
  return { name, version, digest };
}

/** The version of a model that the registry knows by its digest, else the next free one. */
export function versionOf(registry: Registry, name: string, digest: Digest): string {
  const versions = registry.models[name]?.versions ?? [];
  return versions.find((one) => one.digest === digest)?.version ?? nextVersion(registry, name);
}

/**
 * The next free number; under the name of the default model, whose whole numbers are the releases', the next below the latest one, as in `3.1`:
 * a release never finds its version taken.
 */
function nextVersion(registry: Registry, name: string): string {
  const versions = (registry.models[name]?.versions ?? []).map(({ version }) => version);
  const whole = largest(versions);
  if (registry.default !== name) return String(whole + 1);
  const prefix = `${whole}.`;
  const below = versions.filter((version) => version.startsWith(prefix)).map((version) => version.slice(prefix.length));
  return `${prefix}${largest(below) + 1}`;
}

/** The largest of those texts that are whole numbers; 0 where none is. */
function largest(texts: readonly string[]): number {
  return Math.max(0, ...texts.filter((text) => /^\d{1,15}$/.test(text)).map(Number));
}

/** Puts a packed model where the host keeps its models, by its digest. Whole or not at all; what is there already stays. */
async function addToModels(modelsDir: string, tar: Uint8Array, digest: Digest): Promise<string> {
  const folder = join(modelsDir, hexOf(digest));
  if (await pathExists(folder)) return folder;
  await mkdir(modelsDir, { recursive: true });
  const scratch = await mkdtemp(join(modelsDir, "unpack-"));
  try {
    await unpackPackage(tar, scratch);
    await chmod(scratch, 0o755); // as what is released: the judge of a push compares with it
    await rename(scratch, folder);
  } catch (error) {
    await rm(scratch, { recursive: true, force: true });
    if (!(await pathExists(folder))) throw error; // another job may have been faster
  }
  return folder;
}

/** Opens a packed model as a runtime would: complete, answering its golden questions. Throws SlipwayError for one that is not. */
export async function verifyPackage(tar: Uint8Array): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), "slipway-verify-"));
  try {
    await unpackPackage(tar, scratch);
    const model = await loadPackage(scratch);
    await model.close();
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
