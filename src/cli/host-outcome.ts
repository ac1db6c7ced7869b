import { SlipwayError } from "../common/errors.ts";
import type { JournalEntry } from "../guest/journal.ts";
import type { Manifest } from "../guest/manifest.ts";
import type { ReleasePhase, ReleaseReport } from "../guest/release-progress.ts";
import { describe, followJournal } from "../health/follow-journal.ts";
import { type EndedRelease, followRelease, readReleaseStatus, wakeHost } from "../health/follow-release.ts";
import { consoleOutput } from "../openstack/compute/servers.ts";
import { findOwnToken } from "../release/tokens.ts";
import type { StackOutputs } from "./stack-outputs.ts";
import type { Progress } from "./ui/reporter.ts";
import type { Workspace } from "./workspace.ts";

/** How a release ended on a host, whoever told it: the endpoint, or the console. */
export interface HostOutcome {
  /** Of the release that was told of: a later one where the host never took up the one that was followed; 0 where it could not read it. */
  sequence: number;
  ok: boolean;
  /** What serves now; undefined where nothing is known to. */
  model: { name: string; version: string; digest: string } | undefined;
  failure: { phase: ReleasePhase | string; reason: string; lines: string[] } | undefined;
  /** What the host measured, by name; empty where the console told. */
  figures: Record<string, number>;
  /** Milliseconds by phase; empty where the console told. */
  ms: ReleaseReport["ms"];
}

/** What is followed. */
interface Followed {
  manifest: Manifest;
  outputs: StackOutputs;
  /** Of the endpoint, where an address leads to the host. */
  url: string | undefined;
  timeoutMs: number;
  progress: Progress;
  signal: AbortSignal;
}

/**
 * Follows a release to its end: at the endpoint, which tells each phase as it comes; where it does not tell, on the host's console.
 * @returns undefined where the cloud hides the console as well
 * @throws SlipwayError E_TIMEOUT, E_BOOTSTRAP_FAILED
 */
export async function hostOutcome(workspace: Workspace, followed: Followed): Promise<HostOutcome | undefined> {
  const { manifest, outputs, url, timeoutMs, progress, signal } = followed;
  const { sequence } = manifest;
  const began = performance.now();
  const token = await findOwnToken(workspace.stackHome);
  if (url !== undefined && (await readReleaseStatus(url, { signal, token })) !== undefined) {
    await wakeHost(url, { signal, token });
    const onProgress = (report: ReleaseReport) => progress.detail(phaseLine(report));
    const ended = await followRelease({ url, token, sequence, timeoutMs, onProgress, signal });
    if (ended !== undefined) return ofReport(ended);
    progress.note("the endpoint tells no more of the release: its console is followed");
  }
  const verdict = await followJournal({
    readConsole: () => consoleOutput(workspace.session, outputs.serverId),
    sequence,
    timeoutMs: Math.max(1000, Math.round(timeoutMs - (performance.now() - began))),
    onLine: ({ entry }) => progress.detail(describe(entry)),
    signal,
  });
  return verdict && ofVerdict(verdict);
}

function ofReport({ report, serves }: EndedRelease): HostOutcome {
  const { sequence, result, failure, figures, ms } = report;
  const model = result === "broken" ? undefined : serves.model;
  return { sequence, ok: result === "passed", model, failure, figures, ms };
}

function ofVerdict({ sequence, ok, model, failure }: Extract<JournalEntry, { type: "verdict" }>): HostOutcome {
  const told = failure && { phase: failure.step, reason: failure.reason, lines: failure.lines };
  return { sequence, ok, model, failure: told, figures: {}, ms: {} };
}

function phaseLine({ phase, result, sequence }: ReleaseReport): string {
  return result === "underway" ? `release ${sequence}: ${phase}` : `release ${sequence}: ${result}`;
}

/** A release that failed, as the verb's failure. */
export function failureOf(outcome: HostOutcome): SlipwayError {
  const kept = isKept(outcome);
  const { phase = "bootstrap", reason = "the host gave no reason", lines = [] } = outcome.failure ?? {};
  return new SlipwayError(
    phase === "gate" || kept ? "E_GATE_FAILED" : "E_BOOTSTRAP_FAILED",
    `step ${phase}: ${reason}`,
    {
      details: lines[0] === reason ? lines.slice(1) : lines,
      hint: kept
        ? `The old model (version ${outcome.model?.version}) still serves: mend the new one and release it again.`
        : "Look at all steps with `slipway logs`, mend the cause, and run `slipway up` again, or `slipway down`.",
    },
  );
}

/** Whether the host was told to run something else before it took up this release: then nobody will ever tell how it ended. */
export function isOvertaken({ sequence }: HostOutcome, manifest: Pick<Manifest, "sequence">): boolean {
  return sequence > manifest.sequence;
}

/** The same as the verb's failure. */
export function overtaken({ sequence, model }: HostOutcome, own: Pick<Manifest, "sequence">, stack: string) {
  const serves = model === undefined ? "" : `, and serves ${model.name} version ${model.version} (${model.digest})`;
  return new SlipwayError(
    "E_LOCKED",
    `the host tells nothing of release ${own.sequence}: it is at release ${sequence}, which another command published${serves}`,
    { hint: `Look at \`slipway releases ${stack}\`, and release yours again if it is still wanted.` },
  );
}

/** Whether a release failed and what served before it still does. */
export function isKept({ ok, model }: HostOutcome): boolean {
  return !ok && model !== undefined;
}
