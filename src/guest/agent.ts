import { messageOf } from "../common/errors.ts";
import { converge, stepsBeforeRestart } from "./converge.ts";
import type { Host } from "./host.ts";
import type { Manifest } from "./manifest.ts";
import { defaultModel } from "./model.ts";
import { type ReleaseRecord, writeReleaseRecord } from "./release-record.ts";
import { payloadServices, type Service } from "./units.ts";
import { failureOf, upgradePayload } from "./upgrade.ts";

/**
 * Puts a release into service: a new model by having the runtimes exchange it, a new payload by its own bootstrap. When it does not pass the
 * gate the host goes back to what served before. The verdict is journalled when the outcome stands.
 * @returns what the host remembers from now on
 */
export async function deploy(
  host: Host,
  record: ReleaseRecord,
  manifest: Manifest,
  document: string,
): Promise<Omit<ReleaseRecord, "schemaVersion">> {
  const began = performance.now();
  const { sequence } = manifest;
  const ms = () => Math.round(performance.now() - began);
  const restart = servicesToRestart(record.manifest, manifest);
  try {
    const outputs = await (record.manifest.payload.digest === manifest.payload.digest
      ? converge(host, manifest, restart)
      : upgradePayload(host, manifest, document));
    const next = { sequence, manifest };
    await writeReleaseRecord(host.paths, next);
    host.journal.verdict({ sequence, ok: true, model: nameOf(manifest), outputs, ms: ms() });
    return next;
  } catch (error) {
    const failure = failureOf(error);
    const disturbed = !["layers", ...stepsBeforeRestart].includes(failure.step);
    const served = await goBack(host, record.manifest, disturbed ? restart : []);
    const next = { sequence, manifest: record.manifest };
    await writeReleaseRecord(host.paths, next);
    const lines = served.ok ? failure.lines : [...failure.lines, `and the way back failed: ${served.reason}`];
    host.journal.verdict({
      sequence,
      ok: false,
      ...(served.ok ? { model: nameOf(record.manifest) } : {}),
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
    const outputs = await converge(host, manifest, []);
    host.journal.verdict({ sequence, ok: true, model: nameOf(manifest), outputs, ms: ms() });
  } catch (error) {
    host.journal.verdict({ sequence, ok: false, failure: failureOf(error), ms: ms() });
  }
}

/** What a change from one manifest to another makes necessary to start anew. */
export function servicesToRestart(from: Manifest, to: Manifest): Service[] {
  return from.payload.digest === to.payload.digest ? [] : payloadServices;
}

async function goBack(
  host: Host,
  manifest: Manifest,
  restart: Service[],
): Promise<{ ok: true } | { ok: false; reason: string }> {
  try {
    await converge(host, manifest, restart);
    return { ok: true };
  } catch (error) {
    return { ok: false, reason: messageOf(error) };
  }
}

function nameOf(manifest: Manifest): { name: string; version: string; digest: string } {
  const { name, version, digest } = defaultModel(manifest);
  return { name, version, digest };
}
