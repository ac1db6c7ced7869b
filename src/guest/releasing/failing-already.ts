import type { Host } from "../host.ts";
import type { ReleaseReport } from "../release-progress.ts";
import { isRuntimeUnit } from "../unit-names.ts";
import { readReleaseHistory } from "./history.ts";
import type { UnitDeaths } from "./lasting-services.ts";

/** What died longer ago says nothing of what serves now. */
const RECENT_MS = 60_000;
/** What a release that failed left in memory for a moment may take its runtime down still, which then starts anew. */
const AFTERMATH_MS = 10_000;
/** One that dies once may have any reason. */
const FEWEST = 2;
/** A release that failed, and the one that restores what served before, are the last two. */
const LAST_RELEASES = 3;

/** The figure in a release's report that tells how many of the host's runtimes what served before it had taken down. */
export const FAILING_BEFORE = "runtimesFailingBefore";

/**
 * How many of the host's runtimes died lately under what serves; 0 unless that is more than chance. The deaths that a release brought about
 * are its own, whether it passed or not.
 * @param deaths of the host's units
 */
export async function failingRuntimes(
  { paths }: Pick<Host, "paths">,
  deaths: ReadonlyMap<string, UnitDeaths>,
): Promise<number> {
  const units = [...deaths].filter(([unit]) => isRuntimeUnit(unit));
  const history = (await readReleaseHistory(paths)).slice(-LAST_RELEASES);
  return failingAmong(
    units.map(([, one]) => one),
    history,
    Date.now(),
  );
}

/** The same of what is known: runtimes' deaths, and the last releases. */
export function failingAmong(runtimes: readonly UnitDeaths[], history: readonly ReleaseReport[], now: number): number {
  // one that passed its watch did so with nothing of those before it left; what restores is not watched
  const proven = history.findLastIndex(({ result, ms }) => result === "passed" && ms.watch !== undefined);
  const lately = history.slice(Math.max(0, proven));
  const since = Math.max(now - RECENT_MS, ...lately.map(overAt));
  const died = runtimes.filter(({ lastAt }) => lastAt !== undefined && lastAt > since);
  const only = died.length === 1 && runtimes.length === 1 ? died[0] : undefined;
  if (died.length >= FEWEST || (only && only.count >= FEWEST)) return died.length;
  // a release that failed just now began so, and nothing has changed since
  const failed = lately.findLast(({ result }) => result === "kept");
  return failed && endOf(failed) > now - RECENT_MS ? (failed.figures[FAILING_BEFORE] ?? 0) : 0;
}

function endOf({ began, ms }: ReleaseReport): number {
  return Date.parse(began) + Object.values(ms).reduce((sum, one) => sum + one, 0);
}

/** When nothing of a release could take a runtime down any more, unless it serves. */
function overAt(report: ReleaseReport): number {
  return endOf(report) + (report.result === "passed" ? 0 : AFTERMATH_MS);
}
