/** The agent: follows the stack's manifest and puts each higher release into service. systemd starts it again when it ends. */
import { setTimeout as sleep } from "node:timers/promises";
import { deploy, resume, settleInterrupted } from "./agent.ts";
import { releasePush } from "./git/release-push.ts";
import { takePush } from "./git/spool.ts";
import { thisHost } from "./host.ts";
import { ManifestWatch } from "./manifest-watch.ts";
import { prune } from "./prune.ts";
import { readReleaseRecord } from "./release-record.ts";
import { Wake } from "./releasing/wake.ts";

/** Between two looks at what is published, unless somebody wakes the agent. */
const LOOK_MS = 2000;

const host = await thisHost();
const wake = new Wake(host.paths.frontendState, host.paths.git.spool);
const watch = new ManifestWatch(host.config, console.error, (ms) => wake.pause(ms));
const started = await readReleaseRecord(host.paths);
if (started === undefined) throw new Error(`${host.paths.release} is missing: the bootstrap has not finished`);

/** Waits within a release of this sequence, until one that comes after it. A source that does not answer lengthens nothing. */
function pauseUntilAfter(sequence: number): (ms: number) => Promise<"newer" | "over"> {
  let looking: Promise<"newer" | "over"> | undefined;
  return (ms) => {
    looking ??= watch
      .next(sequence, ms)
      .then((found): "newer" | "over" => (found ? "newer" : "over"))
      .finally(() => {
        looking = undefined;
      });
    return Promise.race([looking, sleep(ms, "over" as const)]);
  };
}

let record = started.underway
  ? await settleInterrupted(host, started, pauseUntilAfter(started.underway.manifest.sequence))
  : started;
if (started.underway) await prune(host.paths, [started.manifest, record.manifest]);
if (!host.journal.hasVerdict()) await resume(host, record.manifest);
// a new payload brings a new agent, and one that was taken back its own: systemd starts it
const ownPayload = started.underway?.manifest.payload ?? started.manifest.payload;
while (record.manifest.payload.digest === ownPayload.digest) {
  const old = record.manifest;
  const found = await watch.next(record.sequence, 0);
  const push = found === undefined ? await takePush(host.paths) : undefined;
  if (found) record = await deploy(host, record, found, pauseUntilAfter(found.manifest.sequence));
  else if (push) record = await releasePush(host, record, push, pauseUntilAfter(record.sequence));
  else {
    await wake.pause(LOOK_MS);
    continue;
  }
  // the release before is kept, and what lies under a push: the way back to them must not depend on the source
  await prune(host.paths, [old, record.manifest, ...(record.base ? [record.base] : [])]);
}
