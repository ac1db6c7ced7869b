import { defaultModel, type Manifest } from "../guest/manifest.ts";
import type { ReleaseReport } from "../guest/release-progress.ts";
import type { HistoryEntry } from "../release/history.ts";
import { identityOf } from "../serving/models/registry.ts";

/** A release as `slipway releases` tells of it. */
export interface KnownRelease {
  /** What it is called: its sequence, with the number of the push where it was pushed upon that. */
  release: string;
  sequence: number;
  /** What was pushed to the host. */
  push?: { number: number; branch: string; commit: string } | undefined;
  kind: string;
  /** The stack that a promoted model was taken from, and its version there. */
  from?: { stack: string; version: string } | undefined;
  /** Login name and machine; undefined for a release of an older Slipway. */
  by: string | undefined;
  at: string;
  model: { name: string; version: string; digest: string };
  trial?: { model: KnownRelease["model"]; mode: string; percent: number } | undefined;
  payload: string;
  result: ReleaseReport["result"];
  /** Where it failed, and why. */
  failure?: { phase: string; reason: string } | undefined;
  /** Milliseconds from its beginning to its end, where that is known. */
  ms: number | undefined;
  /** Who remembers it: this machine, the host, or both. */
  source: ("here" | "host")[];
}

/**
 * What this machine and the host remember, by sequence, the oldest first. The host knows best how a release ended: this machine may have been
 * switched off meanwhile. What a release consists of is signed, and the same on both.
 */
export function mergedReleases(history: readonly HistoryEntry[], reports: readonly ReleaseReport[]): KnownRelease[] {
  const known = new Map<string, KnownRelease>(history.map(ofHistory).map((one) => [one.release, one]));
  for (const report of reports) {
    const told = ofReport(report);
    const here = known.get(told.release);
    // a host that took up its own release anew tells less than who waited for it
    known.set(told.release, here === undefined ? told : { ...told, ms: here.ms ?? told.ms, source: ["here", "host"] });
  }
  return [...known.values()].sort((a, b) => a.sequence - b.sequence || (a.push?.number ?? 0) - (b.push?.number ?? 0));
}

function ofHistory({ manifest, result, failure, began, ms }: HistoryEntry): KnownRelease {
  const { sequence, payload, trial } = manifest;
  return {
    release: String(sequence),
    sequence,
    ...originOfRelease(manifest, began),
    model: identityOf(defaultModel(manifest)),
    trial: trial && { model: identityOf(trial.model), ...trial.traffic },
    payload: payload.digest,
    result,
    failure,
    ms,
    source: ["here"],
  };
}

function ofReport(report: ReleaseReport): KnownRelease {
  const { sequence, push, began, model, trial, payload, result, failure, ms } = report;
  const phases = Object.values(ms);
  return {
    release: push === undefined ? String(sequence) : `${sequence}.${push.number}`,
    sequence,
    ...(push && { push: { number: push.number, branch: push.branch, commit: push.commit } }),
    ...originOfRelease(report, began),
    model: identityOf(model),
    trial: trial && { model: identityOf(trial.model), ...trial.traffic },
    payload,
    result,
    failure: failure && { phase: failure.phase, reason: failure.reason },
    ms: result === "underway" ? undefined : phases.reduce((sum, one) => sum + one, 0),
    source: ["host"],
  };
}

function originOfRelease({ origin }: Pick<Manifest, "origin">, began: string) {
  const from = origin?.from;
  return { kind: origin?.kind ?? "up", ...(from && { from }), by: origin?.by, at: origin?.at ?? began };
}

/** What differs between two releases: one line each, `name: before → after`. */
export function differencesOf(
  before: KnownRelease,
  after: KnownRelease,
): { name: string; before: string; after: string }[] {
  const [one, other] = [facts(before), facts(after)];
  return Object.keys(one).flatMap((name) => {
    const [was, is] = [one[name] ?? "", other[name] ?? ""];
    return was === is ? [] : [{ name, before: was, after: is }];
  });
}

function facts({ model, trial, payload, kind, by, at, result }: KnownRelease): Record<string, string> {
  return {
    model: model.name,
    version: model.version,
    digest: model.digest,
    payload,
    trial:
      trial === undefined
        ? "none"
        : `version ${trial.model.version} (${trial.model.digest}), ${trial.mode} ${trial.percent} %`,
    kind,
    by: by ?? "unknown",
    at,
    result,
  };
}
