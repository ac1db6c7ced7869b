import { existsSync } from "node:fs";
import { join } from "node:path";
import { readPackage } from "../serving/models/package.ts";
import { type Probe, probeOf } from "../serving/models/probe.ts";
import { addVersion, useAsDefault, useVersion } from "../serving/models/registry.ts";
import { modelFolder, updateRegistry } from "../serving/models/registry-file.ts";
import type { Host } from "./host.ts";
import type { Manifest } from "./manifest.ts";
import type { GuestPaths } from "./paths.ts";
import { ensureUnpacked } from "./source.ts";
import { SERVICE_USER } from "./units.ts";

type Model = Manifest["models"][number];

const MODEL_TIMEOUT_MS = 300_000;
/** The model that a manifest's hosts serve. */
export function defaultModel(manifest: Manifest): Model {
  return manifest.models[0] as Model; // the schema wants at least one
}

/** Brings the model's package onto the host and returns its folder. */
export async function ensureModel(paths: GuestPaths, sourceUrl: string, model: Model): Promise<string> {
  const folder = modelFolder(paths.models, model.digest);
  if (!existsSync(folder)) await ensureUnpacked(sourceUrl, model, folder, MODEL_TIMEOUT_MS);
  return folder;
}

/** From the runtime's next start this model serves, in this version. */
export async function activateModel(paths: GuestPaths, { name, version, digest }: Model): Promise<void> {
  await updateRegistry(paths.models, (registry) =>
    useAsDefault(useVersion(addVersion(registry, { name, version, digest }), name, version), name),
  );
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
