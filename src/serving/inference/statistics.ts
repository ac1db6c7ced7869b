import type { FrontendContext } from "../frontend/context.ts";
import { HttpError } from "../frontend/errors.ts";
import type { Reading } from "../metrics/meter.ts";
import { emptyStatistics, type ModelStatistics, modelStatisticsIn } from "../metrics/model-stats.ts";
import { excerpt } from "./question.ts";

/**
 * The statistics of the models that serve or were asked: of all, of one model's versions, or of one version.
 * @throws HttpError 404 for what neither serves nor was asked
 */
export function statisticsOf(
  router: FrontendContext["router"],
  readings: readonly Reading[],
  name?: string,
  version?: string,
): ModelStatistics[] {
  const asked = modelStatisticsIn(readings);
  const isAsked = (model: { name: string; version: string }) =>
    asked.some((one) => one.name === model.name && one.version === model.version);
  const idle = router.models
    .filter(({ model }) => !isAsked(model))
    .map(({ model }) => emptyStatistics(model.name, model.version));
  const found = [...asked, ...idle].filter(
    (one) => (name === undefined || one.name === name) && (version === undefined || one.version === version),
  );
  if (name !== undefined && found.length === 0) {
    throw new HttpError(404, "MODEL_UNKNOWN", `${excerpt(name)} ${excerpt(version ?? "")} neither serves nor did`);
  }
  return found.sort((a, b) => (a.name === b.name ? compare(a.version, b.version) : compare(a.name, b.name)));
}

/** A duration as the statistics extension counts it. */
export interface DurationStat {
  count: number;
  /** Nanoseconds. */
  ns: number;
}

/** The durations of {@link ModelStatistics} under the extension's names. Nothing is cached, and computing is measured as one. */
export function inferenceStats({ stages }: Pick<ModelStatistics, "stages">) {
  const none = { count: 0, ns: 0 };
  const { success, fail, queue, compute } = stages;
  return {
    success: statOf(success),
    fail: statOf(fail),
    queue: statOf(queue),
    ...computeStats(compute),
    cache_hit: none,
    cache_miss: none,
  };
}

/** A computation's durations: converting tensors is part of it. */
export function computeStats(compute: { count: number; seconds: number }) {
  const converted: DurationStat = { count: compute.count, ns: 0 };
  return { compute_input: converted, compute_infer: statOf(compute), compute_output: converted };
}

function statOf({ count, seconds }: { count: number; seconds: number }): DurationStat {
  return { count, ns: Math.round(seconds * 1e9) };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
