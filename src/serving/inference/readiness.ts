import type { FrontendContext } from "../frontend/context.ts";
import { HttpError, runtimeAway } from "../frontend/errors.ts";
import { defaultModel, loadedVersions, type ModelIdentity } from "../models/registry.ts";
import { readRegistry } from "../models/registry-file.ts";

/**
 * The default model, which a runtime serves as the registry names it; in the moment of a switch also the version before, which is in
 * memory still. Throws HttpError 503.
 */
export async function requireReady({
  config,
  router,
}: Pick<FrontendContext, "config" | "router">): Promise<ModelIdentity> {
  const served = router.findConnected();
  if (!served) throw runtimeAway();
  const registry = await readRegistry(config.modelsDir);
  const wanted = defaultModel(registry);
  const isWanted = ({ name, digest }: ModelIdentity) => name === wanted?.name && digest === served.model.digest;
  if (loadedVersions(registry).some(isWanted)) return served.model;
  throw new HttpError(
    503,
    "MODEL_OUTDATED",
    `the runtime serves ${served.model.digest}, the registry names ${wanted?.digest ?? "none"}`,
    1,
  );
}
