import { SlipwayError } from "../../common/errors.ts";
import { readPackage } from "../models/package.ts";
import type { ModelIdentity, Registry } from "../models/registry.ts";
import { modelFolder } from "../models/registry-file.ts";
import { type PlanCostOptions, planCostOptions } from "../training/plan-cost/options.ts";

/** The version of a model that serves, else the youngest; undefined for a name that is unknown. */
export function versionToServe({ models }: Registry, name: string): ModelIdentity | undefined {
  const model = Object.hasOwn(models, name) ? models[name] : undefined;
  const found = model?.versions.find(({ version }) => version === model.live) ?? model?.versions.at(-1);
  return found && { name, version: found.version, digest: found.digest };
}

/** The options of a package's plan-cost model. Throws SlipwayError E_MODEL_INVALID where it is none, or torn. */
export async function readPlanOptions(modelsDir: string, digest: ModelIdentity["digest"]): Promise<PlanCostOptions> {
  return planCostOptions(await readPackage(modelFolder(modelsDir, digest)));
}

/** Whether a name is free for plan-cost models: unknown, or one's already. */
export async function isForPlans(modelsDir: string, registry: Registry, name: string): Promise<boolean> {
  const model = versionToServe(registry, name);
  if (model === undefined) return true;
  try {
    await readPlanOptions(modelsDir, model.digest);
    return true;
  } catch (error) {
    if (error instanceof SlipwayError && error.code === "E_MODEL_INVALID") return false;
    throw error;
  }
}
