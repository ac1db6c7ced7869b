import type { FrontendContext } from "../frontend/context.ts";
import { HttpError, runtimeAway } from "../frontend/errors.ts";
import { defaultModel, type ModelIdentity } from "../models/registry.ts";
import { readRegistry } from "../models/registry-file.ts";

/** The default model, which a runtime serves as the registry names it. Throws HttpError 503. */
export async function requireReady({
  config,
  router,
}: Pick<FrontendContext, "config" | "router">): Promise<ModelIdentity> {
  const served = router.findConnected();
  if (!served) throw runtimeAway();
  const wanted = defaultModel(await readRegistry(config.modelsDir));
  if (served.model.digest === wanted?.digest) return served.model;
  throw new HttpError(
    503,
    "MODEL_OUTDATED",
    `the runtime serves ${served.model.digest}, the registry names ${wanted?.digest ?? "none"}`,
    1,
  );
}
