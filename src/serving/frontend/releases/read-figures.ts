import type { Reading } from "../../metrics/meter.ts";
import { modelStatisticsIn } from "../../metrics/model-stats.ts";
import { LIVE_FIGURES, RELEASE_FIGURES } from "../models/model-figures.ts";
import type { VersionFigures } from "./version-figures.ts";

/** The figures of versions among a frontend's. */
export function versionFiguresIn(readings: readonly Reading[]): VersionFigures {
  const cellsOf = (name: string) => readings.find(({ family }) => family.name === name)?.cells ?? [];
  const latency = readings.find(({ family }) => family.name === LIVE_FIGURES.latency);
  const bounds = latency?.family.buckets ?? [];
  const of = (name: string, model: { name: string; version: string }) =>
    cellsOf(name).find(({ labels }) => labels[0] === model.name && labels[1] === model.version)?.value;
  return {
    processes: (cellsOf(RELEASE_FIGURES.processes)[0]?.value as number | undefined) ?? 0,
    serves: cellsOf(RELEASE_FIGURES.serves).map(
      ({ labels: [name = "", version = "", digest = "", way = ""], value }) => ({
        name,
        version,
        digest: digest as `sha256:${string}`,
        way,
        processes: value as number,
      }),
    ),
    asked: modelStatisticsIn(readings).map(({ name, version, stages }) => {
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
    }),
  };
}
