import type { VersionFigures } from "../../serving/frontend/releases/version-figures.ts";
import { readPackage } from "../../serving/models/package.ts";
import { type Probe, versionProbeOf } from "../../serving/models/probe.ts";
import { isSameVersion } from "../../serving/models/registry.ts";
import { modelFolder } from "../../serving/models/registry-file.ts";
import { requireAnswer } from "../gate.ts";
import type { Host } from "../host.ts";
import type { Model } from "../manifest.ts";
import type { Gate } from "../release-terms.ts";
import {
  type Conduct,
  conductBetween,
  differenceOf,
  errorRateOf,
  medianMsOf,
  misconductOf,
  type ShadowConduct,
  shadowBetween,
  unasked,
} from "./compare.ts";
import { deathsBetween, type UnitDeaths, unitDeaths } from "./lasting-services.ts";
import { runtimeWithout } from "./loading.ts";
import type { OwnFrontend } from "./own-frontend.ts";
import type { ReleaseProgress } from "./progress.ts";

const LOOK_MS = 500;
const SHORTEST_PAUSE_MS = 20;
/** A runtime that went away over the version, or is kept from it, is waited for so long. */
const RETURN_MS = 60_000;

/** How a host was before a release. */
export interface Before {
  /** How often each unit had died before the new version came into memory. */
  deaths: ReadonlyMap<string, Pick<UnitDeaths, "count">>;
  /** What the watched version and the one that it is compared with were asked so far. */
  watched: Conduct | undefined;
  compared: Conduct | undefined;
  /** The latter's since the release began. */
  lately: Conduct;
  /** What came of trials of the watched version so far. */
  trial: Trial | undefined;
}

type Trial = VersionFigures["trials"][number];

/** What is watched, and by what. */
export interface WatchTerms {
  host: Pick<Host, "config" | "paths" | "run">;
  frontend: OwnFrontend;
  gate: Gate;
  progress: ReleaseProgress;
  /** The version that requests go to since the switch. */
  watched: Model;
  /** The one that answers those that name none: the same, or what a trial is compared with. */
  live: Model;
  /** Sockets of the runtimes that serve it. */
  runtimes: readonly string[];
  /** Waits, and ends early with `newer` where another release has come. */
  pause: (ms: number) => Promise<"newer" | "over">;
}

/** How a host is before anything of a release is loaded. */
interface Beginning {
  deaths: ReadonlyMap<string, UnitDeaths>;
  figures: VersionFigures;
}

/** To be asked first: a version may take its runtimes down as soon as it is loaded. */
export async function lookAtBeginning(host: WatchTerms["host"], frontend: OwnFrontend): Promise<Beginning> {
  return { deaths: await unitDeaths(host), figures: await frontend.figures() };
}

/** What the watch compares with: to be asked before the switch. */
export async function lookBefore(
  frontend: OwnFrontend,
  { watched, compared }: { watched: Model | undefined; compared: Model | undefined },
  { deaths, figures }: Beginning,
): Promise<Before> {
  const { asked, trials } = await frontend.figures();
  const of = (model: Model | undefined) => (one: { name: string; version: string }) =>
    model !== undefined && isSameVersion(one, model);
  const [isWatched, isCompared] = [of(watched), of(compared)];
  const before = asked.find(isCompared);
  return {
    deaths,
    watched: asked.find(isWatched),
    compared: before,
    lately: conductBetween(figures.asked.find(isCompared), before),
    trial: trials.find(isWatched),
  };
}

/**
 * Looks for as long as the gate says whether what was switched to does as well as what served before: its answers, their times, the
 * processes that serve, and its golden question. The time begins anew whenever a process has died or a runtime is without the version: it
 * passes that was in every runtime for all of the time, however long those that died take to come back. A release that comes meanwhile
 * ends the watch.
 * @throws Error saying what is amiss
 */
export async function watchRelease(terms: WatchTerms, before: Before): Promise<void> {
  const { host, frontend, gate, progress, watched, live, runtimes, pause } = terms;
  const name = `${watched.name} ${watched.version}`;
  const watchMs = gate.watchSeconds * 1000;
  const golden = await goldenQuestion(host, watched);
  const latest = performance.now() + watchMs + RETURN_MS;
  let died = 0;
  /** Since when all has been well. */
  let since: number | undefined;
  for (;;) {
    // the last look begins when the time is over: what came to pass while the one before it waited for an answer counts too
    const began = performance.now();
    const { times, problem } = deathsBetween(before.deaths, await unitDeaths(host));
    if (problem !== undefined) throw new Error(problem);
    const missing = await runtimeWithout(runtimes, watched);
    if (missing !== undefined && began > latest) throw new Error(missing);
    since = times === died && missing === undefined ? (since ?? began) : undefined;
    died = times;
    await frontend.askPatiently("/v2/health/ready");
    if (golden) requireAnswer(golden, await frontend.askPatiently(golden.path, golden.body));
    const { asked, trials } = await frontend.figures();
    const now = asked.find((one) => isSameVersion(one, watched));
    const conduct = conductBetween(before.watched, now);
    tellFigures(progress, conduct);
    const trial = trials.find((one) => isSameVersion(one, watched));
    if (trial) {
      const shadow = shadowBetween(before.trial?.shadow, trial.shadow, live.version);
      tellTrial(progress, trial.reasked - (before.trial?.reasked ?? 0), shadow);
      const difference = differenceOf(name, shadow, gate);
      if (difference !== undefined) throw new Error(difference);
    }
    const { compared = unasked, lately } = before;
    const liveNow = trial && asked.find((one) => isSameVersion(one, live));
    const beside = conductBetween(before.compared, liveNow);
    const misconduct = misconductOf(name, conduct, { before: compared, lately, beside }, gate);
    if (misconduct !== undefined) throw new Error(misconduct);
    if (since !== undefined && began >= since + watchMs) return;
    const left = since === undefined ? LOOK_MS : since + watchMs - performance.now();
    if ((await pause(Math.min(LOOK_MS, Math.max(SHORTEST_PAUSE_MS, left)))) === "newer") return;
  }
}

/** Undefined for a model that does something besides answering. */
async function goldenQuestion({ paths }: Pick<Host, "paths">, model: Model): Promise<Probe | undefined> {
  const { card, golden } = await readPackage(modelFolder(paths.models, model.digest));
  return card.pure === false ? undefined : versionProbeOf(model, card, golden);
}

function tellFigures(progress: ReleaseProgress, conduct: Conduct): void {
  progress.figure("watchedAnswers", conduct.answered);
  progress.figure("watchedFailures", conduct.failed);
  progress.figure("watchedErrorRate", errorRateOf(conduct));
  const median = medianMsOf(conduct);
  if (median !== undefined) progress.figure("watchedMedianMs", median);
}

function tellTrial(progress: ReleaseProgress, reasked: number, shadow: ShadowConduct): void {
  if (reasked > 0) progress.figure("trialReasked", reasked);
  if (shadow.compared + shadow.dropped === 0) return;
  progress.figure("shadowCompared", shadow.compared);
  progress.figure("shadowDropped", shadow.dropped);
  progress.figure("shadowDiffering", shadow.differing);
  if (shadow.largest !== undefined) progress.figure("shadowLargestDifference", shadow.largest);
}
