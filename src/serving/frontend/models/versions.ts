import { readRegistry } from "../../models/registry-file.ts";
import type { FrontendContext } from "../context.ts";

/** A version of a model as the host has it. */
export interface ListedVersion {
  version: string;
  digest: string;
  /** Whether runtimes serve it now. */
  serves: boolean;
  /** Whether it answers requests that name the model and no version. */
  live: boolean;
  /** Whether it answers requests that name no model. */
  default: boolean;
}

/** A model's versions that the registry has, newest first, whether they serve or not. */
export async function versionsOf(
  { router, config }: Pick<FrontendContext, "router" | "config">,
  name: string,
): Promise<ListedVersion[]> {
  const { models } = await readRegistry(config.modelsDir);
  const known = Object.hasOwn(models, name) ? (models[name]?.versions ?? []) : [];
  const serving = router.models;
  return known.toReversed().map(({ version, digest }) => {
    const served = serving.find(({ model }) => model.name === name && model.digest === digest);
    return {
      version,
      digest,
      serves: served !== undefined,
      live: served?.live ?? false,
      default: served?.default ?? false,
    };
  });
}
