/**
 * Stage 1: makes the host run the release whose manifest stage 0, or the agent with the argument `upgrade`, left at its place.
 * By itself it gives the verdict, and after a bad one waits for another release before systemd starts it again. As an upgrade it
 * prints its result as JSON and leaves the verdict to the agent.
 */
import { readFile } from "node:fs/promises";
import { identityOf } from "../serving/models/registry.ts";
import { converge } from "./converge.ts";
import { type Host, thisHost } from "./host.ts";
import { stackKey } from "./host-config.ts";
import { JournalWriter } from "./journal-writer.ts";
import { defaultModel, type Manifest, openManifest } from "./manifest.ts";
import { ManifestWatch } from "./manifest-watch.ts";
import { guestPaths } from "./paths.ts";
import { writeReleaseRecord } from "./release-record.ts";
import { phaseOf } from "./releasing/failed-phase.ts";
import { ReleaseProgress } from "./releasing/progress.ts";
import { payloadServices, unitFile } from "./unit-names.ts";
import { failureOf } from "./upgrade.ts";

/** After this long a failed release is tried again as it is: its cause may have been the surroundings. */
const RETRY_AFTER_MS = 300_000;

const paths = guestPaths();
const journal = new JournalWriter(paths.journal);
/** When stage 0 began, milliseconds since 1970. */
const began = Number(process.env.SLIPWAY_BEGAN ?? Date.now());

async function bootstrap(host: Host, manifest: Manifest): Promise<void> {
  const { sequence } = manifest;
  const progress = new ReleaseProgress(host.paths, undefined, manifest, "load");
  try {
    const outputs = await converge(host, manifest, { restart: payloadServices });
    // before the verdict: whoever hears it may publish the next release, and the agent must know this one
    await writeReleaseRecord(host.paths, { sequence, manifest });
    progress.serves(manifest);
    await progress.end("passed");
    host.journal.verdict({
      sequence,
      ok: true,
      model: identityOf(defaultModel(manifest)),
      outputs,
      ms: Date.now() - began,
    });
  } catch (error) {
    const failure = failureOf(error);
    const phase = phaseOf(failure.step) ?? progress.phase;
    await progress.end("broken", { phase, reason: failure.reason, lines: failure.lines });
    host.journal.verdict({ sequence, ok: false, failure, ms: Date.now() - began });
    await new ManifestWatch(host.config).next(sequence, RETRY_AFTER_MS);
    process.exitCode = 1;
    return;
  }
  await host.run("systemctl", ["start", unitFile("agent")]);
}

/** What everything starts from: the host's own settings and the manifest. */
async function open(): Promise<{ host: Host; manifest: Manifest }> {
  const host = await thisHost(paths, journal);
  return { host, manifest: openManifest(await readFile(paths.manifest, "utf8"), stackKey(host.config)) };
}

if (process.argv[2] === "upgrade") {
  const { host, manifest } = await open();
  const result = await converge(host, manifest, { restart: payloadServices }).then(
    (outputs) => ({ outputs }),
    (error: unknown) => ({ failure: failureOf(error) }),
  );
  console.log(JSON.stringify(result));
} else {
  const opened = await journal.step("settings", open).catch((error: unknown) => {
    // as stage 0 does of a manifest that it cannot read: the sequence is not known
    journal.verdict({ sequence: 0, ok: false, failure: failureOf(error), ms: Date.now() - began });
    throw error;
  });
  await bootstrap(opened.host, opened.manifest);
}
