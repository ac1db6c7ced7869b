import { messageOf, SlipwayError } from "../../common/errors.ts";
import { waitFor } from "../../common/wait.ts";
import type { FrontendContext } from "../frontend/context.ts";
import { HttpError } from "../frontend/errors.ts";
import { loadVersion, type Registry, unload, useVersion } from "../models/registry.ts";
import { readRegistry, updateRegistry } from "../models/registry-file.ts";
import { excerpt, invalidRequest } from "./question.ts";

/** A version as the repository's index lists it. */
export interface IndexEntry {
  name: string;
  version: string;
  state: "READY" | "UNAVAILABLE";
  /** Why it is not ready; empty where it is. */
  reason: string;
}

type Context = Pick<FrontendContext, "router" | "config" | "limits">;

/** All versions that the registry names, oldest first in each model; or those that serve now. */
export async function repositoryIndex({ router, config }: Context, onlyReady: boolean): Promise<IndexEntry[]> {
  const { models } = await readRegistry(config.modelsDir);
  const serving = new Set(router.models.map(({ model }) => model.digest + model.name));
  const index = Object.entries(models).flatMap(([name, { versions }]) =>
    versions.map(({ version, digest, loaded }): IndexEntry => {
      if (serving.has(digest + name)) return { name, version, state: "READY", reason: "" };
      return { name, version, state: "UNAVAILABLE", reason: loaded ? "no runtime has it" : "unloaded" };
    }),
  );
  return onlyReady ? index.filter(({ state }) => state === "READY") : index;
}

/** What a load or an unload may say besides the model's name. */
export interface RepositoryParameters {
  /** Which version; without it the one that answers requests without a version. */
  version?: string;
  /** Whether requests without a version are this version's from now on. */
  live?: boolean;
}

const LOAD_PARAMETERS = ["version", "live"];
const UNLOAD_PARAMETERS = ["version", "unload_dependents"];

/** The parameters of a load. Throws HttpError 400 for those that are not served: models are brought by a release, not by a request. */
export function loadParameters(parameters: Record<string, unknown>): RepositoryParameters {
  return parametersOf(parameters, LOAD_PARAMETERS);
}

/** The parameters of an unload; there are no dependents here. Throws HttpError 400. */
export function unloadParameters(parameters: Record<string, unknown>): RepositoryParameters {
  return parametersOf(parameters, UNLOAD_PARAMETERS);
}

/**
 * Puts a model into service: the version that is named, beside the live one unless `live` says otherwise; else the version that was live
 * last, or the newest. What no runtime can load leaves everything as it was.
 * @throws HttpError 404 for what the registry does not know, 400 with the runtime's reason, 503 where no runtime serves it in time
 */
export async function loadModel(context: Context, name: string, parameters: RepositoryParameters): Promise<void> {
  let before: Registry | undefined;
  let version = "";
  await change(context, (registry) => {
    before = registry;
    version = parameters.version ?? versionToLoad(registry, name);
    const asLive = parameters.live === true || registry.models[name]?.live === undefined;
    return (asLive ? useVersion : loadVersion)(registry, name, version);
  });
  const { failed } = await context.router.sync();
  const failure = failed.find((one) => one.name === name && one.version === version);
  if (failure) {
    await change(context, (registry) => restored(registry, before ?? registry, name));
    await context.router.sync();
    throw new HttpError(400, "LOAD_FAILED", `${name} ${version} cannot be loaded: ${failure.message}`);
  }
  await untilServed(context, name, version);
}

/** Takes a model, or one version of it, out of service; it stays in the registry. Throws HttpError 404. */
export async function unloadModel(context: Context, name: string, parameters: RepositoryParameters): Promise<void> {
  await change(context, (registry) => unload(registry, name, parameters.version));
  await context.router.sync();
}

async function change({ config }: Context, how: (registry: Registry) => Registry): Promise<void> {
  try {
    await updateRegistry(config.modelsDir, how);
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.code !== "E_MODEL_UNKNOWN") throw error;
    throw new HttpError(404, "MODEL_UNKNOWN", excerpt(error.message));
  }
}

/** The registry with this model as it was before; what happened to others meanwhile stays. */
function restored(registry: Registry, before: Registry, name: string): Registry {
  const model = before.models[name];
  const { default: standard, ...rest } = registry;
  const keeps = before.default === undefined && standard === name ? rest : registry;
  return model === undefined ? keeps : { ...keeps, models: { ...keeps.models, [name]: model } };
}

function versionToLoad(registry: Registry, name: string): string {
  const model = Object.hasOwn(registry.models, name) ? registry.models[name] : undefined;
  const known = (version: string) => model?.versions.some((one) => one.version === version) === true;
  const version = model?.live ?? model?.history.findLast(known) ?? model?.versions.at(-1)?.version;
  if (version !== undefined) return version;
  throw new HttpError(404, "MODEL_UNKNOWN", `there is no model ${excerpt(name)}`);
}

/** A runtime that is being started loads it, too: that is waited for. */
async function untilServed({ router, limits }: Context, name: string, version: string): Promise<void> {
  const served = async () => router.findConnected(name, version);
  try {
    await waitFor(`${name} ${version}`, served, { timeoutMs: limits.deadlineMs, intervalMs: 10, maxIntervalMs: 100 });
  } catch (error) {
    throw new HttpError(
      503,
      "RUNTIME_UNAVAILABLE",
      `the registry names it, and no runtime serves it: ${messageOf(error)}`,
      1,
    );
  }
}

function parametersOf(parameters: Record<string, unknown>, allowed: readonly string[]): RepositoryParameters {
  for (const name of Object.keys(parameters)) {
    if (!allowed.includes(name)) throw invalidRequest(`the parameter "${excerpt(name)}" is not served here`);
  }
  const { version, live } = parameters;
  if (version !== undefined && typeof version !== "string") throw invalidRequest(`"version" is no text`);
  if (live !== undefined && typeof live !== "boolean") throw invalidRequest(`"live" is neither true nor false`);
  return { ...(version !== undefined && { version }), ...(live !== undefined && { live }) };
}
