import { isDeepStrictEqual } from "node:util";
import type { ModelCard } from "../../serving/models/card.ts";
import { newDemands } from "../../serving/models/new-demands.ts";
import { type AnyPackage, readPackage } from "../../serving/models/package.ts";
import { type Probe, versionProbeOf } from "../../serving/models/probe.ts";
import { isSameModel } from "../../serving/models/registry.ts";
import { modelFolder } from "../../serving/models/registry-file.ts";
import { trialProblem } from "../../serving/routing/trials/fitness.ts";
import { requireAnswer } from "../gate.ts";
import type { Host } from "../host.ts";
import { defaultModel, type Manifest, type Model } from "../manifest.ts";
import type { Gate } from "../release-terms.ts";
import { medianOf, slownessOf } from "./compare.ts";
import type { OwnFrontend } from "./own-frontend.ts";
import type { ReleaseProgress } from "./progress.ts";

/** Questions to each of two versions whose times are compared: as many as fit into the time, within these bounds. */
const PAIRS = { fewest: 3, most: 25, ms: 100 };
/** Before a version is called slow it is asked for longer: a few questions may have met a busy moment. */
const MORE_PAIRS = { fewest: 3, most: 50, ms: 2000 };

/** What a version must show before anything is sent to it. */
export interface GateTerms {
  host: Pick<Host, "paths">;
  frontend: OwnFrontend;
  gate: Gate;
  progress: ReleaseProgress;
}

/**
 * Asks a version that does not serve yet its golden question, and then it and the live one in turn, to compare how long they take. A
 * model that is not pure is asked once.
 * @param live the version that answers now; undefined where nothing does
 * @throws Error saying what the version lacks
 */
export async function passVersionGate(terms: GateTerms, candidate: Model, live: Model | undefined): Promise<void> {
  const { host, frontend, gate, progress } = terms;
  const packed = await readPackage(modelFolder(host.paths.models, candidate.digest));
  const probe = versionProbeOf(candidate, packed.card, packed.golden);
  requireAnswer(probe, await frontend.askPatiently(probe.path, probe.body));
  const rival = live && (await rivalOf(host, packed, live));
  if (rival === undefined) return;
  const name = `${candidate.name} ${candidate.version}`;
  const times: Pair[] = [];
  const compare = async (bounds: typeof PAIRS) => {
    await askInTurn(frontend, probe, rival, times, bounds);
    const [, ...counted] = times; // the first pair is for warming up
    const ms = medianOf(counted.map((pair) => pair.ms));
    const before = medianOf(counted.map((pair) => pair.before));
    if (ms !== undefined) progress.figure("latencyMs", ms);
    if (before !== undefined) progress.figure("latencyMsBefore", before);
    return slownessOf(name, ms, before, gate);
  };
  const slowness = (await compare(PAIRS)) && (await compare(MORE_PAIRS));
  if (slowness !== undefined) throw new Error(slowness);
}

/** Throws Error saying what clients of the model that serves ask and the one that shall take its place refuses, unless that may be. */
export async function requireKnownInputs(
  { paths }: Pick<Host, "paths">,
  { allowNewInputs }: Gate,
  { from, to }: { from: Manifest; to: Manifest },
): Promise<void> {
  const [live, next] = [defaultModel(from), defaultModel(to)];
  if (allowNewInputs || isSameModel(live, next)) return;
  const demands = newDemands(await cardOf(paths, live), await cardOf(paths, next));
  if (demands.length === 0) return;
  throw new Error(`clients of ${live.name} ${live.version} would be refused: ${demands.join("; ")}`);
}

async function cardOf({ models }: Host["paths"], { digest }: Model): Promise<ModelCard> {
  return (await readPackage(modelFolder(models, digest))).card;
}

/** Throws Error saying why a manifest's version on trial cannot be tried on the requests of its live one. */
export async function requireFitTrial({ paths }: Pick<Host, "paths">, manifest: Manifest): Promise<void> {
  const { trial } = manifest;
  if (trial === undefined) return;
  const [live, card] = [await cardOf(paths, defaultModel(manifest)), await cardOf(paths, trial.model)];
  const problem = trialProblem(live, card, trial.traffic.mode);
  const { name, version } = trial.model;
  if (problem !== undefined) throw new Error(`${name} ${version} cannot be a ${trial.traffic.mode}: ${problem}`);
}

/** Milliseconds that a candidate's and the live version's answer to the same question took. */
interface Pair {
  ms: number;
  before: number;
}

/** The candidate's own question as the live version is asked it; undefined where that is another kind of model, or does more than answer. */
async function rivalOf(
  { paths }: Pick<Host, "paths">,
  { card, golden }: AnyPackage,
  live: Model,
): Promise<Probe | undefined> {
  const other = await cardOf(paths, live);
  const form = ({ inputs, outputs, batching, pure }: ModelCard) => ({
    inputs,
    outputs,
    batching,
    pure: pure !== false,
  });
  if (card.pure === false || !isDeepStrictEqual(form(card), form(other))) return undefined;
  return versionProbeOf(live, card, golden);
}

/** Adds to `times` until there are enough. Where the live version fails there is nothing to compare with, and no reason to keep it. */
async function askInTurn(
  frontend: OwnFrontend,
  candidate: Probe,
  live: Probe,
  times: Pair[],
  { fewest, most, ms }: typeof PAIRS,
): Promise<void> {
  const end = performance.now() + ms;
  while (times.length <= fewest || (times.length <= most && performance.now() < end)) {
    const before = await timeOf(frontend, live).catch(() => undefined);
    if (before === undefined) return;
    times.push({ ms: await timeOf(frontend, candidate), before });
  }
}

async function timeOf(frontend: OwnFrontend, { path, body }: Probe): Promise<number> {
  const began = performance.now();
  await frontend.askPatiently(path, body);
  return performance.now() - began;
}
