/** The agent: follows the stack's manifest and puts each higher release into service. systemd starts it again when it ends. */
import { deploy, resume } from "./agent.ts";
import { thisHost } from "./host.ts";
import type { Manifest } from "./manifest.ts";
import { ManifestWatch } from "./manifest-watch.ts";
import { prune } from "./prune.ts";
import { readReleaseRecord } from "./release-record.ts";

const LONGEST_WATCH_MS = 3_600_000;

const host = await thisHost();
const watch = new ManifestWatch(host.config);
let record = await readReleaseRecord(host.paths);
if (record === undefined) throw new Error(`${host.paths.release} is missing: the bootstrap has not finished`);
if (!host.journal.hasVerdict()) await resume(host, record.manifest);
for (;;) {
  const found = await watch.next(record.sequence, LONGEST_WATCH_MS);
  if (found === undefined) continue;
  const old: Manifest = record.manifest;
  record = { schemaVersion: 1, ...(await deploy(host, record, found.manifest, found.document)) };
  // the release before is kept: the way back to it must not depend on the source
  await prune(host.paths, [old, record.manifest]);
  // a new payload brings a new agent: systemd starts it
  if (record.manifest.payload.digest !== old.payload.digest) break;
}
