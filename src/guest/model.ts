import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { hexOf } from "../common/digest.ts";
import { writeFileAtomic } from "../common/files.ts";
import { type Golden, goldenSchema } from "../serving/models/golden.ts";
import { pointLink } from "./links.ts";
import type { Manifest } from "./manifest.ts";
import type { GuestPaths } from "./paths.ts";
import { ensureUnpacked } from "./source.ts";

type Model = Manifest["models"][number];

const MODEL_TIMEOUT_MS = 300_000;
/** The model that a manifest's hosts serve. */
export function defaultModel(manifest: Manifest): Model {
  return manifest.models[0] as Model; // the schema wants at least one
}

/** Brings the model's package onto the host and returns its folder. */
export async function ensureModel(paths: GuestPaths, sourceUrl: string, model: Model): Promise<string> {
  const folder = join(paths.models, hexOf(model.digest));
  if (!existsSync(folder)) await ensureUnpacked(sourceUrl, model, folder, MODEL_TIMEOUT_MS);
  return folder;
}

/** From the runtime's next start this model serves; `current.json` beside the link tells its name and version. */
export async function activateModel(paths: GuestPaths, { name, version, digest }: Model): Promise<void> {
  await writeFileAtomic(join(paths.models, "current.json"), `${JSON.stringify({ name, version, digest })}\n`, 0o644);
  await pointLink(join(paths.models, "current"), hexOf(digest));
}

export async function readGolden(paths: GuestPaths, model: Model): Promise<Golden> {
  const file = join(paths.models, hexOf(model.digest), "golden.json");
  return goldenSchema.parse(JSON.parse(await readFile(file, "utf8")));
}
