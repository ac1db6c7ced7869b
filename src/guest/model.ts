import { existsSync } from "node:fs";
import { join } from "node:path";
import { hexOf } from "../common/digest.ts";
import { writeFileAtomic } from "../common/files.ts";
import { goldenProbabilities } from "../serving/models/golden.ts";
import { readPackage } from "../serving/models/package.ts";
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

/** The golden rows that travel with the model, and what the frontend must answer for them. */
export async function readGolden(
  paths: GuestPaths,
  model: Model,
): Promise<{ rows: number[][]; probabilities: number[] }> {
  const { card, golden } = await readPackage(join(paths.models, hexOf(model.digest)));
  return { rows: golden.rows, probabilities: goldenProbabilities(card.output, golden) };
}
