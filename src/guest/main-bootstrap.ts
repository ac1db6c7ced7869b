/**
 * Stage 1: makes the host run the release whose manifest stage 0, or the agent with the argument `upgrade`, left at its place.
 * By itself it gives the verdict, and after a bad one waits for another release before systemd starts it again. As an upgrade it
 * prints its result as JSON and leaves the verdict to the agent.
 */
import { readFile } from "node:fs/promises";
import { converge } from "./converge.ts";
import { type Host, thisHost } from "./host.ts";
import { stackKey } from "./host-config.ts";
import { type Manifest, openManifest } from "./manifest.ts";
import { ManifestWatch } from "./manifest-watch.ts";
import { defaultModel } from "./model.ts";
import { writeReleaseRecord } from "./release-record.ts";
import { payloadServices, unitName } from "./units.ts";
import { failureOf } from "./upgrade.ts";

/** After this long a failed release is tried again as it is: its cause may have been the surroundings. */
const RETRY_AFTER_MS = 300_000;

async function bootstrap(host: Host, manifest: Manifest): Promise<void> {
  const began = Number(process.env.SLIPWAY_BEGAN ?? Date.now());
  const { sequence } = manifest;
  const { name, version, digest } = defaultModel(manifest);
  try {
    const outputs = await converge(host, manifest, payloadServices);
    host.journal.verdict({ sequence, ok: true, model: { name, version, digest }, outputs, ms: Date.now() - began });
  } catch (error) {
    host.journal.verdict({ sequence, ok: false, failure: failureOf(error), ms: Date.now() - began });
    await new ManifestWatch(host.config).next(sequence, RETRY_AFTER_MS);
    process.exitCode = 1;
    return;
  }
  await writeReleaseRecord(host.paths, { sequence, manifest });
  await host.run("systemctl", ["start", unitName("agent")]);
}

const host = await thisHost();
const manifest = openManifest(await readFile(host.paths.manifest, "utf8"), stackKey(host.config));
if (process.argv[2] === "upgrade") {
  const result = await converge(host, manifest, payloadServices).then(
    (outputs) => ({ outputs }),
    (error: unknown) => ({ failure: failureOf(error) }),
  );
  console.log(JSON.stringify(result));
} else {
  await bootstrap(host, manifest);
}
