import { chmod, mkdtemp, rename, rm } from "node:fs/promises";
import type { Digest } from "../../common/digest.ts";
import { messageOf } from "../../common/errors.ts";
import { pathExists } from "../../common/files.ts";
import { modelFolder, readRegistry } from "../../serving/models/registry-file.ts";
import { repack, versionOf } from "../../serving/models/shelf.ts";
import { deploy, type Remembered } from "../agent.ts";
import type { Host } from "../host.ts";
import { defaultModel, type Manifest } from "../manifest.ts";
import { readReleaseHistory } from "../releasing/history.ts";
import type { ModelRelease } from "../releasing/model-release.ts";
import { ReleaseProgress } from "../releasing/progress.ts";
import { requireNoFunction } from "./no-function.ts";
import type { TakenPush } from "./spool.ts";

/**
 * Releases what was pushed, upon the signed release that this host follows: through the same phases as any release of models, with the
 * same way back. It serves until a signed release with a higher sequence comes.
 * @returns what the host remembers from now on
 */
export async function releasePush(
  host: Host,
  record: Remembered,
  taken: TakenPush,
  pause?: ModelRelease["pause"],
): Promise<Remembered> {
  try {
    const manifest = await pushedManifest(host, record, taken);
    try {
      if (manifest.trial) throw new Error(`version ${manifest.trial.model.version} is on trial: end the trial first`);
      await keepPackage(host, await taken.package(), taken.request.digest);
    } catch (error) {
      const reason = messageOf(error);
      await new ReleaseProgress(host.paths, record.manifest, manifest).end("kept", {
        phase: "fetch",
        reason,
        lines: [reason],
      });
      return record;
    }
    return await deploy(host, record, { manifest, document: "" }, pause);
  } finally {
    await taken.forget();
  }
}

/** As the signed manifest, with another model: only the host itself knows it. */
async function pushedManifest(
  { paths }: Pick<Host, "paths">,
  { sequence, manifest }: Remembered,
  { id, request }: TakenPush,
): Promise<Manifest> {
  const { branch, commit, digest, by, at } = request;
  const { name } = defaultModel(manifest);
  const version = versionOf(await readRegistry(paths.models), name, digest);
  const earlier = (await readReleaseHistory(paths)).filter((one) => one.sequence === sequence);
  const number = Math.max(0, ...earlier.map(({ push }) => push?.number ?? 0)) + 1;
  return {
    ...manifest,
    sequence,
    models: [{ name, version, digest, path: "", size: 0 }, ...manifest.models.slice(1)],
    // an `up` may have let through what clients have to ask otherwise; nobody has said so of this one
    ...(manifest.gate && { gate: { ...manifest.gate, allowNewInputs: false } }),
    origin: { kind: "push", by, at },
    push: { number, branch, commit, request: id },
  };
}

/** Puts a package where the host has its models; whole, and as its digest says, or not at all. */
async function keepPackage({ paths }: Pick<Host, "paths">, bytes: Uint8Array, digest: Digest): Promise<void> {
  const folder = modelFolder(paths.models, digest);
  if (await pathExists(folder)) return;
  const scratch = await mkdtemp(`${folder}.`);
  try {
    const packed = await repack(bytes, scratch);
    if (packed.digest !== digest)
      throw new Error(`what was handed over has the digest ${packed.digest}, not ${digest}`);
    requireNoFunction(packed.model);
    await chmod(scratch, 0o755);
    await rename(scratch, folder);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
