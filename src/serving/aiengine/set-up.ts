import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../common/errors.ts";
import { type ModelIdentity, useVersion } from "../models/registry.ts";
import { readRegistry, updateRegistry } from "../models/registry-file.ts";
import type { Router } from "../routing/router.ts";
import { readPlanOptions, versionToServe } from "./plan-models.ts";
import { Refused } from "./reply.ts";

const LOOK_MS = 20;
/** From a runtime's having loaded a model to its telling so. */
const SERVE_MS = 5000;

/** What setting up works with. */
export interface SetUpSurroundings {
  modelsDir: string;
  router: Pick<Router, "sync" | "findConnected">;
}

/**
 * Has runtimes serve a plan-cost model: nothing is to be done for one that serves already.
 * @throws Refused `N` for a name that is unknown, `i` for a model that cannot be loaded
 */
export async function setUpModel({ modelsDir, router }: SetUpSurroundings, name: string): Promise<void> {
  const registry = await readRegistry(modelsDir);
  const model = versionToServe(registry, name);
  if (model === undefined) throw new Refused("N", `there is no model ${name}`);
  try {
    await readPlanOptions(modelsDir, model.digest);
    if (registry.models[name]?.live !== model.version) {
      await updateRegistry(modelsDir, (now) => useVersion(now, name, model.version));
    }
    if (router.findConnected(name)?.model.digest === model.digest) return;
    const { failed } = await router.sync();
    const own = failed.find((failure) => failure.name === name && failure.version === model.version);
    if (own) throw new Error(own.message);
    await awaitDigest(router, model);
  } catch (cause) {
    throw new Refused("i", `${name} cannot be loaded: ${messageOf(cause)}`, { cause });
  }
}

/** Resolves when a runtime serves this model. Rejects after a while, and with the signal's reason. */
export async function awaitDigest(
  router: Pick<Router, "findConnected">,
  { name, digest }: ModelIdentity,
  signal?: AbortSignal,
): Promise<void> {
  for (const until = performance.now() + SERVE_MS; ; await sleep(LOOK_MS, undefined, signal ? { signal } : undefined)) {
    if (router.findConnected(name)?.model.digest === digest) return;
    if (performance.now() > until) throw new Error(`no runtime serves ${name}`);
  }
}
