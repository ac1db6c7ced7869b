/**
 * Git's pre-receive hook: what is pushed becomes a release of this host, or the branch stays where it is. It runs as the user that pushes log
 * in as, and can do no more than hand a package over to the agent. What it prints whoever pushed reads.
 */
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { checkLine } from "../serving/judging/checks.ts";
import { unpackPackage } from "../serving/models/shelf.ts";
import { followPush } from "./git/follow-push.ts";
import { importPushed, judgePushed, linesOf } from "./git/pushed-model.ts";
import { type PushedRef, pushedRefs, refusalOf } from "./git/pushed-refs.ts";
import { layOut } from "./git/pushed-tree.ts";
import { handOver, MOST_PUSHED, withdraw } from "./git/spool.ts";
import { defaultModel } from "./manifest.ts";
import { guestPaths } from "./paths.ts";
import type { ReleaseReport } from "./release-progress.ts";
import { readReleaseRecord } from "./release-record.ts";

/** Other releases, with their watches, come first. */
const FOLLOW_MS = 1_800_000;

const paths = guestPaths();

/** A push that does not become a release, with what whoever pushed is told. */
class Refused extends Error {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines[0]);
    this.lines = lines;
  }
}

function say(line: string): void {
  process.stdout.write(`slipway: ${line}\n`);
}

async function release({ to: commit }: PushedRef, scratch: string): Promise<void> {
  const record = await readReleaseRecord(paths);
  const git = record?.manifest.settings.git;
  if (record === undefined || git === undefined) throw new Refused(["this host takes no pushes now"]);
  const { manifest } = record;
  const { stack } = manifest;
  if (manifest.trial) {
    const what = `version ${manifest.trial.model.version} is on trial on ${stack}`;
    throw new Refused([`${what}: end the trial first, with slipway promote or slipway abort`]);
  }
  const [tree, unpacked] = [join(scratch, "tree"), join(scratch, "package")];
  await mkdir(tree);
  await layOut(commit, git.directory, tree);
  const model = await importPushed(tree);
  const { bytes, digest } = model;
  say(`${shortened(commit)}: a model of ${(bytes.length / 1e6).toFixed(2)} MB, ${digest}, answers its golden rows`);
  const serves = defaultModel(manifest);
  if (serves.digest === digest) return say(`${stack} serves this already`);
  if (bytes.length > MOST_PUSHED) throw new Refused([`a package has at most ${MOST_PUSHED} bytes`]);
  await mkdir(unpacked);
  await unpackPackage(bytes, unpacked);
  const checks = await judgePushed(paths, git, model, unpacked, serves);
  for (const check of checks) say(checkLine(check));
  const refused = checks.find(({ passed }) => !passed);
  if (refused) throw new Refused([`the gate refuses the model, ${refused.name}: ${refused.text}`, stillServes(serves)]);

  const id = randomUUID();
  const by = process.env.SLIPWAY_PUSHER || "a deploy key";
  const at = new Date().toISOString();
  await handOver(paths, id, { schemaVersion: 1, branch: git.branch, commit, digest, by, at }, bytes);
  const report =
    (await followPush(paths, { id, timeoutMs: FOLLOW_MS, onProgress: tell })) ??
    ((await withdraw(paths, id)) ? undefined : null);
  if (report === undefined) throw new Refused(["the host's agent does not take it: look with slipway logs"]);
  if (report === null) throw new Refused(["its end was not seen: look with slipway releases before you push again"]);
  const { result, failure, figures, ms } = report;
  if (result !== "passed") {
    const { phase = "release", reason = "no reason is given", lines = [] } = failure ?? {};
    const more = lines.filter((line) => line !== reason);
    const end = result === "kept" ? stillServes(serves) : "and the way back failed: look with slipway logs";
    throw new Refused([`the host refuses the model, ${phase}: ${reason}`, ...more, end]);
  }
  const seconds = Object.values(ms).reduce((sum, one) => sum + one, 0) / 1000;
  const measured = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
  say(`passed: ${measured.join(", ") || "nothing was measured"}`);
  say(
    `${stack} serves ${report.model.name} ${report.model.version}, release ${labelOf(report)}, after ${seconds.toFixed(1)} s`,
  );
}

function tell(report: ReleaseReport | undefined): void {
  if (report === undefined) say("handed over to the host's agent");
  else if (report.result === "underway") say(`release ${labelOf(report)}: ${report.phase}`);
}

function labelOf({ sequence, push }: ReleaseReport): string {
  return push ? `${sequence}.${push.number}` : String(sequence);
}

function stillServes({ name, version }: { name: string; version: string }): string {
  return `${name} ${version} still serves, and the branch stays where it is`;
}

function shortened(commit: string): string {
  return commit.slice(0, 12);
}

const refs = pushedRefs(await text(process.stdin));
const scratch = await mkdtemp(join(tmpdir(), "slipway-push-"));
try {
  const branch = (await readReleaseRecord(paths))?.manifest.settings.git?.branch ?? "main";
  const refusal = refusalOf(refs, branch);
  if (refusal) throw new Refused(refusal);
  for (const ref of refs) await release(ref, scratch);
} catch (error) {
  for (const line of error instanceof Refused ? error.lines : linesOf(error)) say(line);
  process.exitCode = 1;
} finally {
  await rm(scratch, { recursive: true, force: true });
}
