import { isSameModel } from "../../serving/models/registry.ts";
import { updateRegistry } from "../../serving/models/registry-file.ts";
import { numbersShown, requireAnswer, resultOfJob, StillWaiting } from "../gate.ts";
import type { Host } from "../host.ts";
import { defaultModel, type Manifest, type Model } from "../manifest.ts";
import { ensureModel, readProbe, shareRegistry } from "../model.ts";
import type { ReleasePhase } from "../release-progress.ts";
import { gateSchema } from "../release-terms.ts";
import { FAILING_BEFORE, failingRuntimes } from "./failing-already.ts";
import { deathsBetween, unitDeaths, whileUnitsLast } from "./lasting-services.ts";
import { modelsOnlyIn, subjectsOf, withArrivals } from "./lineup.ts";
import { loadInTurn, runtimesThere } from "./loading.ts";
import type { OwnFrontend } from "./own-frontend.ts";
import type { ReleaseProgress } from "./progress.ts";
import { letGo, switchTo } from "./switch.ts";
import { passVersionGate, requireFitTrial, requireKnownInputs } from "./version-gate.ts";
import { type Before, lookAtBeginning, lookBefore, type WatchTerms, watchRelease } from "./watch.ts";

/** Jobs that came before it are computed first: a queue that is busy says nothing of the model. */
const JOB_MS = 10_000;
/** What was let go is in memory for two seconds more, and a runtime that it takes down is away for one. */
const LET_GO_MS = 5000;

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
 *
 * Where what serves takes its runtimes down by itself, that is not held against what is to take its place: a load is tried again, it is
 * asked for longer, and what served before goes out of memory with the switch, so that the watch sees the new one alone.
 * @returns the numbers that the golden question was answered with
 * @throws StepFailed
 */
export async function releaseModels(release: ModelRelease): Promise<number[]> {
  const { host, progress, from, to, onSwitch } = release;
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
  const beginning = await lookAtBeginning(host, release.frontend);
  const { deaths } = beginning;
  const failing = await failingRuntimes(host, deaths);
  if (failing > 0) progress.figure(FAILING_BEFORE, failing);
  const frontend = failing > 0 ? release.frontend.patient() : release.frontend;
  const runtimes = await phase("load", async () => {
    const there = await runtimesThere(host, defaultModel(to).name);
    if (arrivals.length === 0) return there;
    const starting = new Set<string>();
    const announce = () => updateRegistry(paths.models, (registry) => withArrivals(registry, arrivals, [...starting]));
    await announce();
    const insist = async (runtime: string) => {
      starting.add(runtime);
      await announce();
    };
    await loadInTurn(there, { models: arrivals, ...(failing > 0 && { insist }) });
    await frontend.untilLoaded(arrivals);
    return there;
  });
  const before = await phase("gate", async () => {
    await requireKnownInputs(host, gate, { from, to });
    await requireFitTrial(host, to);
    const rival = failing > 0 ? undefined : defaultModel(from);
    const judge = async () => {
      for (const model of subjects) await passVersionGate({ host, frontend, gate, progress }, model, rival);
    };
    const refusal = await judge().then(
      () => undefined,
      (error: Error) => error,
    );
    const { problem } = deathsBetween(deaths, await unitDeaths(host));
    // what took its runtimes down does not answer either
    if (problem !== undefined && failing === 0) throw new Error(problem);
    if (refusal !== undefined) throw refusal;
    return lookBefore(frontend, { watched, compared: defaultModel(from) }, beginning);
  });
  const outputs = await phase("switch", async () => {
    await onSwitch();
    const guarded = (work: () => Promise<void>) => (failing > 0 ? work() : whileUnitsLast(host, deaths, work));
    await switchTo(host, frontend, to, { guarded });
    if (failing > 0) await letGo(host, modelsOnlyIn(from, to));
    progress.serves(to);
    return answerAsClients(host, frontend, to);
  });
  // what serves as it did needs no watch: a release that is published again after another one failed
  if (watched) {
    const isLive = isSameModel(watched, defaultModel(to));
    await phase("watch", async () => {
      const since = failing > 0 ? await lookAlone(watched) : before;
      const terms = { ...release, frontend, gate, watched, live: defaultModel(to), runtimes };
      await whileUnitsLast(host, since.deaths, () =>
        Promise.all([watchRelease(terms, since), isLive ? answerByWorker(host, frontend, to) : undefined]),
      );
    });
  }
  await phase("settle", async () => {
    await letGo(host, modelsOnlyIn(from, to));
    await shareRegistry(host);
  }).catch(() => undefined); // the journal has it; what serves is good, and the next release lets go again
  return outputs;

  /** What the watch compares with where nothing before the switch says anything: the version as it is alone. */
  async function lookAlone(watched: Model): Promise<Before> {
    await release.pause(LET_GO_MS);
    return lookBefore(frontend, { watched, compared: undefined }, await lookAtBeginning(host, frontend));
  }
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
