import { isSameModel } from "../../serving/models/registry.ts";
import { updateRegistry } from "../../serving/models/registry-file.ts";
import { loadInTurn } from "../exchange.ts";
import { numbersShown, requireAnswer, resultOfJob, StillWaiting } from "../gate.ts";
import type { Host } from "../host.ts";
import { defaultModel, type Manifest } from "../manifest.ts";
import { ensureModel, readProbe, shareRegistry } from "../model.ts";
import type { ReleasePhase } from "../release-progress.ts";
import { gateSchema } from "../release-terms.ts";
import { deathsBetween, restartCounts } from "./lasting-services.ts";
import { modelsOnlyIn, subjectsOf, withLoaded } from "./lineup.ts";
import type { OwnFrontend } from "./own-frontend.ts";
import type { ReleaseProgress } from "./progress.ts";
import { letGo, switchTo } from "./switch.ts";
import { passVersionGate, requireFitTrial, requireKnownInputs } from "./version-gate.ts";
import { lookBefore, type WatchTerms, watchRelease } from "./watch.ts";

/** Jobs that came before it are computed first: a queue that is busy says nothing of the model. */
const JOB_MS = 10_000;

/** What a release of models works with. */
export interface ModelRelease {
  host: Host;
  frontend: OwnFrontend;
  progress: ReleaseProgress;
  /** What serves. */
  from: Manifest;
  to: Manifest;
  /** Called when requests may go to it: from here on the way back leads over a switch. */
  onSwitch: () => Promise<void>;
  pause: WatchTerms["pause"];
}

/**
 * Brings the models of a manifest into service beside those that serve: loaded, asked what they must know, switched to and watched, while
 * those before stay in memory until the end. What fails leaves the way back to the caller.
 * @returns the numbers that the golden question was answered with
 * @throws StepFailed
 */
export async function releaseModels(release: ModelRelease): Promise<number[]> {
  const { host, frontend, progress, from, to, onSwitch } = release;
  const { config, paths, journal } = host;
  const gate = gateSchema.parse(to.gate ?? {});
  const arrivals = modelsOnlyIn(to, from);
  const subjects = subjectsOf(to, from);
  const [watched] = subjects;
  const phase = async <T>(name: ReleasePhase, act: () => Promise<T>): Promise<T> => {
    await progress.enter(name);
    return journal.step(name, act);
  };
  await phase("fetch", async () => {
    for (const model of arrivals) await ensureModel(paths, config.sourceUrl, model);
  });
  const restarts = await restartCounts(host);
  await phase("load", async () => {
    if (arrivals.length === 0) return;
    await updateRegistry(paths.models, (registry) => withLoaded(registry, arrivals));
    await loadInTurn(host, arrivals);
    await frontend.untilLoaded(arrivals);
  });
  const before = await phase("gate", async () => {
    await requireKnownInputs(host, gate, { from, to });
    await requireFitTrial(host, to);
    for (const model of subjects) await passVersionGate({ host, frontend, gate, progress }, model, defaultModel(from));
    const deaths = deathsBetween(restarts, await restartCounts(host));
    if (deaths !== undefined) throw new Error(deaths);
    return lookBefore(frontend, watched, defaultModel(from), restarts);
  });
  const outputs = await phase("switch", async () => {
    await onSwitch();
    await switchTo(host, frontend, to);
    progress.serves(to);
    return answerAsClients(host, frontend, to);
  });
  // what serves as it did needs no watch: a release that is published again after another one failed
  if (watched) {
    const isLive = isSameModel(watched, defaultModel(to));
    await phase("watch", () =>
      Promise.all([
        watchRelease({ ...release, gate, watched, live: defaultModel(to) }, before),
        isLive ? answerByWorker(host, frontend, to) : undefined,
      ]),
    );
  }
  await phase("settle", async () => {
    await letGo(host, modelsOnlyIn(from, to));
    await shareRegistry(host);
  }).catch(() => undefined); // the journal has it; what serves is good, and the next release lets go again
  return outputs;
}

/** The golden question as whoever names no model and no version asks it. */
async function answerAsClients(
  { paths }: Pick<Host, "paths">,
  frontend: OwnFrontend,
  manifest: Manifest,
): Promise<number[]> {
  const probe = await readProbe(paths, defaultModel(manifest));
  return numbersShown(requireAnswer(probe, await frontend.askPatiently(probe.path, probe.body)));
}

/** The same by way of the queue, where the host has one: its worker has runtimes of its own to ask. */
async function answerByWorker(
  { config, paths }: Pick<Host, "config" | "paths">,
  frontend: OwnFrontend,
  manifest: Manifest,
): Promise<void> {
  const probe = await readProbe(paths, defaultModel(manifest));
  if (!config.roles.queue || !config.roles.worker || probe.path !== "/v1/predict") return;
  const options = { timeoutMs: JOB_MS, hopeless: async () => undefined };
  const result = await resultOfJob(frontend.asking, frontend.url, probe, options).catch((error: unknown) => {
    if (error instanceof StillWaiting) return undefined;
    throw error;
  });
  if (result !== undefined) requireAnswer(probe, result);
}
