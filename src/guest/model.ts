import { existsSync } from "node:fs";
import { join } from "node:path";
import { readPackage } from "../serving/models/package.ts";
import { type Probe, probeOf } from "../serving/models/probe.ts";
import { modelFolder, updateRegistry } from "../serving/models/registry-file.ts";
import type { Host } from "./host.ts";
import type { Manifest, Model } from "./manifest.ts";
import type { GuestPaths } from "./paths.ts";
import { lineupOf, withLineupAlone } from "./releasing/lineup.ts";
import { ensureUnpacked } from "./source.ts";
import { SERVICE_USER } from "./unit-names.ts";

const MODEL_TIMEOUT_MS = 300_000;
/** Brings the model's package onto the host and returns its folder. */
export async function ensureModel(paths: GuestPaths, sourceUrl: string, model: Model): Promise<string> {
  const folder = modelFolder(paths.models, model.digest);
  if (!existsSync(folder)) await ensureUnpacked(sourceUrl, model, folder, MODEL_TIMEOUT_MS);
  return folder;
}

/** Brings all packages onto the host that the manifest's hosts serve. */
export async function ensureModels(paths: GuestPaths, sourceUrl: string, manifest: Manifest): Promise<void> {
  for (const { model } of lineupOf(manifest)) await ensureModel(paths, sourceUrl, model);
}

/** From the runtimes' next start, or exchange, these versions serve, and none of those that did before. */
export async function activateModels(paths: GuestPaths, manifest: Manifest): Promise<void> {
  await updateRegistry(paths.models, (registry) => withLineupAlone(registry, manifest));
}

/** The services add models of their own, those that they trained: folder and registry are theirs, what is packed stays as it was delivered. */
export async function shareRegistry({ paths, run }: Host): Promise<void> {
  const registry = ["registry.json", "registry.lock"].map((name) => join(paths.models, name));
  await run("chown", [`${SERVICE_USER}:${SERVICE_USER}`, paths.models, ...registry]);
}

/** The golden question that travels with the model, as the host's frontend is asked it. */
export async function readProbe(paths: GuestPaths, { name, digest }: Model): Promise<Probe> {
  const { card, golden } = await readPackage(modelFolder(paths.models, digest));
  return probeOf(name, card, golden);
}
