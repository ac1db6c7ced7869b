import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../common/errors.ts";
import { waitFor } from "../common/wait.ts";
import { identityOf } from "../serving/models/registry.ts";
import { gateToken } from "./access.ts";
import { askingAs } from "./asking.ts";
import { converge, type Services } from "./converge.ts";
import type { Host } from "./host.ts";
import { StepFailed } from "./journal-writer.ts";
import { defaultModel, type Manifest } from "./manifest.ts";
import type { FoundManifest } from "./manifest-watch.ts";
import { type ReleaseRecord, writeReleaseRecord } from "./release-record.ts";
import { phaseOf, stepsThatLeaveServicesAlone } from "./releasing/failed-phase.ts";
import { changesModelsAlone, lineupOf, modelsOnlyIn } from "./releasing/lineup.ts";
import { type ModelRelease, releaseModels } from "./releasing/model-release.ts";
import { OwnFrontend } from "./releasing/own-frontend.ts";
import { ReleaseProgress } from "./releasing/progress.ts";
import { switchTo } from "./releasing/switch.ts";
import { servingFrontend } from "./services.ts";
import { payloadServices, type Service } from "./unit-names.ts";
import { failureOf, upgradePayload } from "./upgrade.ts";

/** After a boot the services start beside the agent; a guest under software emulation starts Node in minutes. */
const READY_MS = 300_000;
/** An interrupted release is gone on with so often: one that takes its host down must come to an end. */
const MOST_TRIES = 2;

/** What the host remembers. */
export type Remembered = Omit<ReleaseRecord, "schemaVersion">;

/** For a watch that nothing newer ends. */
const pauseOnly: ModelRelease["pause"] = (ms) => sleep(ms, "over");

/**
 * Puts a release into service: new models beside those that serve, without a restart; a new payload by its own bootstrap. When it fails, at
 * whatever phase, the host goes back to what served before. The verdict is journalled when the outcome stands.
 * @param pause waits within the watch, and ends it where another release has come
 * @returns what the host remembers from now on
 */
export async function deploy(
  host: Host,
  record: Remembered,
  { manifest, document }: FoundManifest,
  pause: ModelRelease["pause"] = pauseOnly,
): Promise<Remembered> {
  const { manifest: from } = record;
  if (isRestored(record, manifest)) return holdUpon(host, record, manifest);
  const progress = new ReleaseProgress(host.paths, from, manifest);
  const tries = (record.underway?.tries ?? 0) + 1;
  const remember = (switched: boolean) =>
    writeReleaseRecord(host.paths, { ...record, underway: { manifest, switched, tries } });
  const frontend = await frontendOf(host, from);
  return concluded({ host, record, manifest, progress, interrupted: false }, async () => {
    await progress.enter("fetch");
    await remember(record.underway?.switched ?? false);
    if (frontend && changesModelsAlone(from, manifest)) {
      const onSwitch = () => remember(true);
      return releaseModels({ host, frontend, progress, from, to: manifest, onSwitch, pause });
    }
    // the steps of the journal tell how far it is
    await progress.enter("load");
    return from.payload.digest === manifest.payload.digest
      ? converge(host, manifest, { restart: [] })
      : upgradePayload(host, manifest, document);
  });
}

/** Whether a manifest only publishes again what lies under the push that serves, since a release upon it has failed. */
function isRestored({ manifest, base }: Remembered, restored: Manifest): boolean {
  if (manifest.push === undefined || base === undefined || restored.origin?.kind !== "restore") return false;
  return changesModelsAlone(base, restored) && isDeepStrictEqual(lineupOf(base), lineupOf(restored));
}

/** What was pushed goes on serving, upon another signed release of the same content. */
async function holdUpon(host: Host, { manifest: held }: Remembered, restored: Manifest): Promise<Remembered> {
  const { sequence } = restored;
  const manifest = { ...held, sequence };
  await new ReleaseProgress(host.paths, manifest, restored, "settle").end("passed");
  return remembered(host, { sequence, manifest, base: restored });
}

/**
 * Ends a release that the agent was interrupted in, by a kill or a reboot: one that had passed its gate is gone on with, once; any other is
 * taken back.
 */
export async function settleInterrupted(
  host: Host,
  record: Remembered,
  pause: ModelRelease["pause"] = pauseOnly,
): Promise<Remembered> {
  const { manifest: from, underway } = record;
  if (underway === undefined) return record;
  const { manifest, switched, tries } = underway;
  const frontend = await frontendOf(host, from);
  if (frontend && switched && tries < MOST_TRIES && changesModelsAlone(from, manifest)) {
    const isReady = () => frontend.ask("/v2/health/ready").catch(() => undefined);
    // what is not ready fails the release in its own words
    await waitFor("the frontend to be ready", isReady, { timeoutMs: READY_MS }).catch(() => undefined);
    return deploy(host, record, { manifest, document: "" }, pause);
  }
  const progress = new ReleaseProgress(host.paths, from, manifest, switched ? "watch" : "load");
  return concluded({ host, record, manifest, progress, interrupted: true }, async () => {
    const reason = "the host's agent was interrupted while the release was under way";
    throw new StepFailed(progress.phase, reason, [reason], undefined);
  });
}

/** A release that a host is taken from another to. */
interface Attempt {
  host: Host;
  /** Before it. */
  record: Remembered;
  manifest: Manifest;
  progress: ReleaseProgress;
  /** Whether it began in a process that is no more: nobody knows how far it came. */
  interrupted: boolean;
}

/** Does the work of a release, and whatever comes of it: the way back, the record, the report, the verdict. */
async function concluded(
  { host, record, manifest, progress, interrupted }: Attempt,
  work: () => Promise<number[]>,
): Promise<Remembered> {
  const began = performance.now();
  const { sequence } = manifest;
  const { manifest: from, base } = record;
  const ms = () => Math.round(performance.now() - began);
  const serves = await servingFrontend(host.paths);
  try {
    const outputs = await work();
    // what is pushed again lies upon the same signed release
    const next = await remembered(host, { sequence, manifest, ...(manifest.push && { base: base ?? from }) });
    progress.serves(manifest);
    await progress.end("passed");
    host.journal.verdict({ sequence, ok: true, model: identityOf(defaultModel(manifest)), outputs, ms: ms() });
    return next;
  } catch (error) {
    const failure = failureOf(error);
    // the one that was there before the release, and not since, runs what served before
    const isOld = !interrupted && (await servingFrontend(host.paths)) === serves;
    const served = await goBack(host, from, manifest, { step: failure.step, keptFrontend: isOld });
    const next = await remembered(host, { sequence, manifest: from, ...(base && { base }) });
    const lines = served.ok ? failure.lines : [...failure.lines, `and the way back failed: ${served.reason}`];
    progress.serves(from);
    const phase = phaseOf(failure.step) ?? progress.phase;
    await progress.end(served.ok ? "kept" : "broken", { phase, reason: failure.reason, lines });
    host.journal.verdict({
      sequence,
      ok: false,
      ...(served.ok ? { model: identityOf(defaultModel(from)) } : {}),
      failure: { ...failure, lines },
      ms: ms(),
    });
    return next;
  }
}

/**
 * After a boot: has everything run that ran before, and gives the verdict anew, since a console log may have lost the one before it. It
 * is on the release that serves; one that failed later is not tried again.
 */
export async function resume(host: Host, manifest: Manifest): Promise<void> {
  const began = performance.now();
  const { sequence } = manifest;
  const ms = () => Math.round(performance.now() - began);
  try {
    const outputs = await converge(host, manifest, { restart: [] });
    host.journal.verdict({ sequence, ok: true, model: identityOf(defaultModel(manifest)), outputs, ms: ms() });
  } catch (error) {
    host.journal.verdict({ sequence, ok: false, failure: failureOf(error), ms: ms() });
  }
}

/** A record that cannot be written, on a full disk, must not have the agent begin again and again. */
async function remembered(host: Host, next: Remembered): Promise<Remembered> {
  await writeReleaseRecord(host.paths, next).catch((error: unknown) =>
    console.error(`the release cannot be remembered: ${messageOf(error)}`),
  );
  return next;
}

/** To what served before: by a switch where that still has its processes and its models, else step by step. */
async function goBack(
  host: Host,
  from: Manifest,
  failed: Manifest,
  failure: Failure,
): Promise<{ ok: true } | { ok: false; reason: string }> {
  try {
    const frontend = await frontendOf(host, from);
    const switched =
      frontend &&
      changesModelsAlone(from, failed) &&
      (await switchTo(host, frontend, from, { forgotten: modelsOnlyIn(failed, from) }).then(
        () => true,
        () => false,
      ));
    if (!switched) await converge(host, from, servicesOnWayBack(from, failed, failure));
    return { ok: true };
  } catch (error) {
    return { ok: false, reason: messageOf(error) };
  }
}

/** Where a release failed. */
interface Failure {
  /** At this step. */
  step: string;
  /** With the frontend still the one that served before. */
  keptFrontend: boolean;
}

/** What has to start anew on the way back from a release that failed, and what has gone on all the time. */
export function servicesOnWayBack(from: Manifest, failed: Manifest, { step, keptFrontend }: Failure): Services {
  if (stepsThatLeaveServicesAlone.includes(step)) return { restart: [], asTheyAre: payloadServices };
  const asTheyAre: Service[] = keptFrontend ? ["frontend"] : [];
  if (from.payload.digest === failed.payload.digest) return { restart: [], asTheyAre };
  return { restart: payloadServices.filter((service) => !asTheyAre.includes(service)), asTheyAre };
}

/** As a host that runs this manifest asks it; undefined on one without a frontend. */
async function frontendOf({ config, paths, frontendUrl }: Host, manifest: Manifest): Promise<OwnFrontend | undefined> {
  const { frontend } = config.roles;
  if (frontend === undefined) return undefined;
  return new OwnFrontend(frontendUrl(frontend.port), askingAs(await gateToken(paths, manifest.settings.tokens)));
}
