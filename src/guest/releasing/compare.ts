import type { AskedVersion, VersionFigures } from "../../serving/frontend/releases/version-figures.ts";
import type { Gate } from "../release-terms.ts";

/** Fewer answers say nothing of how long they take. */
const FEWEST_ANSWERS = 20;
/** A share needs so many failures to count: one may have any reason. */
const FEWEST_FAILURES = 3;

/** What a version did within some time. */
export type Conduct = Pick<AskedVersion, "answered" | "failed" | "latency">;

/** Of a version that nobody asked. */
export const unasked: Conduct = { answered: 0, failed: 0, latency: { bounds: [], counts: [] } };

/** What was asked between two looks; all of it where the frontend began anew meanwhile. */
export function conductBetween(before: Conduct | undefined, now: Conduct | undefined): Conduct {
  if (now === undefined) return unasked;
  if (before === undefined || before.answered > now.answered || before.failed > now.failed) return now;
  return {
    answered: now.answered - before.answered,
    failed: now.failed - before.failed,
    latency: {
      bounds: now.latency.bounds,
      counts: now.latency.counts.map((count, at) => count - (before.latency.counts[at] ?? 0)),
    },
  };
}

/** What came of a shadow's copies within some time. */
export interface ShadowConduct {
  compared: number;
  differing: number;
  dropped: number;
  /** Of a number, from the version that is live; undefined where none was compared. */
  largest: number | undefined;
}

type Shadow = VersionFigures["trials"][number]["shadow"];

/** The same between two looks, but for the largest difference: two versions differ as they do, whenever they were compared. */
export function shadowBetween(before: Shadow | undefined, now: Shadow, live: string): ShadowConduct {
  const isNew = before === undefined || before.asked > now.asked || before.dropped > now.dropped;
  const since = ({ asked, failed, differing, dropped }: Shadow) => ({ compared: asked - failed, differing, dropped });
  const [first, last] = [isNew ? { compared: 0, differing: 0, dropped: 0 } : since(before), since(now)];
  return {
    compared: last.compared - first.compared,
    differing: last.differing - first.differing,
    dropped: last.dropped - first.dropped,
    largest: Object.hasOwn(now.largestDifferences, live) ? now.largestDifferences[live] : undefined,
  };
}

/** Why a shadow's answers are too far from the live version's. */
export function differenceOf(
  name: string,
  { compared, differing, largest }: ShadowConduct,
  { shadowDiffering, shadowLargestDifference }: Gate,
): string | undefined {
  const fewest = shadowDiffering === 0 ? 1 : FEWEST_FAILURES;
  if (shadowDiffering !== undefined && differing >= fewest && differing / compared > shadowDiffering) {
    return `${differing} of ${compared} answers of ${name} differ from the live version's: ${shown((100 * differing) / compared)} %, ${shown(100 * shadowDiffering)} % are allowed`;
  }
  if (shadowLargestDifference !== undefined && largest !== undefined && largest > shadowLargestDifference) {
    return `an answer of ${name} is ${shown(largest)} from the live version's, at most ${shadowLargestDifference} is allowed`;
  }
  return undefined;
}

/** Failures among all answers, 0 … 1; 0 without answers. */
export function errorRateOf({ answered, failed }: Conduct): number {
  return answered + failed === 0 ? 0 : failed / (answered + failed);
}

/**
 * The median in milliseconds, read between the bounds of a histogram's bucket; undefined for too few answers. What took longer than the
 * last bound counts as long as that.
 */
export function medianMsOf({ latency: { bounds, counts } }: Conduct): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total < FEWEST_ANSWERS) return undefined;
  let below = 0;
  for (const [at, count] of counts.entries()) {
    if (below + count >= total / 2) {
      const lower = bounds[at - 1] ?? 0;
      const upper = bounds[at] ?? lower;
      return 1000 * (lower + (upper - lower) * ((total / 2 - below) / count));
    }
    below += count;
  }
  return undefined;
}

/** The middle one of some times; undefined for none. */
export function medianOf(times: readonly number[]): number | undefined {
  return [...times].sort((a, b) => a - b)[Math.floor((times.length - 1) / 2)];
}

/** Why a version is too slow beside another, by their medians in milliseconds. */
export function slownessOf(
  name: string,
  ms: number | undefined,
  before: number | undefined,
  { latencyRatio, latencyFloorMs }: Pick<Gate, "latencyRatio" | "latencyFloorMs">,
): string | undefined {
  if (ms === undefined || before === undefined) return undefined;
  if (ms <= Math.max(latencyFloorMs, latencyRatio * before)) return undefined;
  return `${name} takes ${shown(ms)} ms, what served before ${shown(before)} ms: at most ${latencyRatio} times as long is allowed`;
}

/**
 * Why a version does too badly beside another: by the share of answers that are failures, which may be what is allowed or what it was
 * before, and by the median of their times.
 * @param others.before the other's conduct in all the time before
 * @param others.lately its conduct while the release was on its way already: on a small host that alone makes answers slower
 * @param others.beside its conduct while the version is watched, where it answers at the same time: whatever slows the host slows both
 */
export function misconductOf(
  name: string,
  now: Conduct,
  { before, lately, beside }: { before: Conduct; lately: Conduct; beside: Conduct },
  gate: Gate,
): string | undefined {
  const rate = errorRateOf(now);
  const allowed = Math.max(gate.errorRate, errorRateOf(before));
  if (now.failed >= FEWEST_FAILURES && rate > allowed) {
    return `${now.failed} of ${now.answered + now.failed} answers of ${name} are failures: ${shown(100 * rate)} %, ${shown(100 * allowed)} % are allowed`;
  }
  const medians = [before, lately, beside].flatMap((conduct) => medianMsOf(conduct) ?? []);
  return slownessOf(name, medianMsOf(now), medians.length === 0 ? undefined : Math.max(...medians), gate);
}

function shown(value: number): string {
  return String(Number(value.toPrecision(3)));
}
