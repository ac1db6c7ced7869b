import { cellsIn, type Reading } from "../../metrics/meter.ts";
import { modelStatisticsIn } from "../../metrics/model-stats.ts";
import { LIVE_FIGURES, RELEASE_FIGURES } from "../models/model-figures.ts";
import { type TrialFigures, trialFiguresIn } from "../trials/trial-figures.ts";
import type { AskedVersion, VersionFigures } from "./version-figures.ts";

/** The figures of versions among a frontend's. */
export function versionFiguresIn(readings: readonly Reading[]): VersionFigures {
  const trials = trialFiguresIn(readings);
  return {
    processes: (cellsIn(readings, RELEASE_FIGURES.processes)[0]?.value as number | undefined) ?? 0,
    serves: cellsIn(readings, RELEASE_FIGURES.serves).map(
      ({ labels: [name = "", version = "", digest = "", way = ""], value }) => ({
        name,
        version,
        digest: digest as `sha256:${string}`,
        way,
        processes: value as number,
      }),
    ),
    asked: together(askedIn(readings), trials.map(copiesOf)),
    trials,
  };
}

function askedIn(readings: readonly Reading[]): AskedVersion[] {
  const latency = readings.find(({ family }) => family.name === LIVE_FIGURES.latency);
  const bounds = latency?.family.buckets ?? [];
  const of = (name: string, model: { name: string; version: string }) =>
    cellsIn(readings, name).find(({ labels }) => labels[0] === model.name && labels[1] === model.version)?.value;
  return modelStatisticsIn(readings).map(({ name, version, stages }) => {
    const model = { name, version };
    const refused = (of(RELEASE_FIGURES.refused, model) as number | undefined) ?? 0;
    const counts = (of(LIVE_FIGURES.latency, model) as number[] | undefined) ?? [];
    return {
      ...model,
      answered: stages.success.count,
      failed: Math.max(0, stages.fail.count - refused),
      refused,
      latency: { bounds, counts: [...bounds, Number.POSITIVE_INFINITY].map((_, at) => counts[at] ?? 0) },
    };
  });
}

/** What a version was asked in copies, which are counted apart from what callers ask. */
function copiesOf({ name, version, shadow: { asked, failed, latency } }: TrialFigures): AskedVersion {
  return { name, version, answered: asked - failed, failed, refused: 0, latency };
}

/** Figures and more of them, version by version. */
function together(figures: readonly AskedVersion[], more: readonly AskedVersion[]): AskedVersion[] {
  const isOf = (one: AskedVersion) => (other: AskedVersion) => one.name === other.name && one.version === other.version;
  const both = figures.map((one) => {
    const other = more.find(isOf(one));
    if (!other || other.answered + other.failed === 0) return one;
    return {
      ...one,
      answered: one.answered + other.answered,
      failed: one.failed + other.failed,
      latency: {
        bounds: one.latency.bounds,
        counts: one.latency.counts.map((count, at) => count + (other.latency.counts[at] ?? 0)),
      },
    };
  });
  return [...both, ...more.filter((one) => one.answered + one.failed > 0 && !figures.some(isOf(one)))];
}
