import { z } from "zod";
import { trafficSchema } from "../../../guest/release-terms.ts";
import { cellsIn, type Meter, type Reading } from "../../metrics/meter.ts";
import { PREDICT_BUCKETS } from "../../metrics/predict-buckets.ts";
import type { ServedModel } from "../../routing/question.ts";
import type { ShadowFigures } from "../../routing/trials/shadow.ts";

const REASKED = "slipway_canary_reasked_total";
const COPIES = "slipway_shadow_requests_total";
const SECONDS = "slipway_shadow_seconds";
const LARGEST = "slipway_shadow_largest_difference";
const LABELS = ["model", "version"];

type Outcome = "same" | "differing" | "failed" | "dropped";

const count = z.number().min(0);

export const trialFigures = z.object({
  name: z.string(),
  version: z.string(),
  reasked: count.describe("requests that it did not answer as a canary, and the live version did"),
  shadow: z
    .object({
      asked: count,
      failed: count.describe("of those that were asked"),
      differing: count.describe(
        "of those that were asked: the answer is not the live version's, within the golden tolerance",
      ),
      dropped: count.describe("not asked, since too much was under way"),
      largestDifference: z.number().nullable().describe("of a number: absolute, and relative above 1"),
      largestDifferences: z
        .record(z.string(), z.number())
        .describe("the same by the live version that was compared with"),
      latency: z
        .object({ bounds: z.array(z.number()), counts: z.array(count) })
        .describe("how many copies took up to so many seconds, not cumulative; one count more than bounds"),
    })
    .describe("what came of copies of requests"),
});

/** What a version did on trial since the frontend was started, all its processes together. */
export type TrialFigures = z.infer<typeof trialFigures>;

/** In which way a version is on trial. */
export const trialTerms = trafficSchema.extend({
  problem: z.string().optional().describe("why it gets none of the live version's requests"),
});

/** Takes down what versions on trial do, beside what is counted for every version. */
export function meterTrials(meter: Meter): { shadow: ShadowFigures; reasked: (trial: ServedModel) => void } {
  const reasked = meter.counter({
    name: REASKED,
    help: "Requests that the live version answered since a canary did not.",
    labels: LABELS,
  });
  const copies = meter.counter({
    name: COPIES,
    help: "Copies of requests to a version in shadow mode, by what came of them.",
    labels: [...LABELS, "outcome"],
  });
  const seconds = meter.histogram({
    name: SECONDS,
    help: "Time from a copy of a request to its answer or failure.",
    labels: LABELS,
    buckets: PREDICT_BUCKETS,
  });
  const largest = new Map<string, { labels: string[]; value: number }>();
  meter.gauge(
    {
      name: LARGEST,
      help: "The largest difference of a number from the live version's answer, absolute, relative above 1.",
      labels: [...LABELS, "live"],
      combine: "max",
    },
    () => [...largest.values()],
  );
  const told = ({ model: { name, version } }: ServedModel, outcome: Outcome) => copies(name, version, outcome).add(1);
  const took = ({ model: { name, version } }: ServedModel, milliseconds: number) =>
    seconds(name, version).observe(milliseconds / 1000);
  return {
    reasked: ({ model: { name, version } }) => reasked(name, version).add(1),
    shadow: {
      compared: (trial, live, difference, milliseconds) => {
        told(trial, difference.differs ? "differing" : "same");
        took(trial, milliseconds);
        if (difference.largest === undefined) return;
        const labels = [trial.model.name, trial.model.version, live.model.version];
        const known = largest.get(labels.join("\0"))?.value ?? 0;
        largest.set(labels.join("\0"), { labels, value: Math.max(known, difference.largest) });
      },
      failed: (trial, milliseconds) => {
        told(trial, "failed");
        took(trial, milliseconds);
      },
      dropped: (trial) => told(trial, "dropped"),
    },
  };
}

/** The figures of {@link meterTrials} among a frontend's, version by version. */
export function trialFiguresIn(readings: readonly Reading[]): TrialFigures[] {
  const bounds = readings.find(({ family }) => family.name === SECONDS)?.family.buckets ?? [];
  const found = new Map<string, TrialFigures>();
  const find = ([name = "", version = ""]: readonly string[]): TrialFigures => {
    const key = `${name}\0${version}`;
    const figures = found.get(key) ?? unaskedTrial({ name, version }, bounds);
    found.set(key, figures);
    return figures;
  };
  for (const { labels, value } of cellsIn(readings, REASKED)) find(labels).reasked = value as number;
  for (const { labels, value } of cellsIn(readings, COPIES)) {
    const { shadow } = find(labels);
    const outcome = labels[2] as Outcome;
    if (outcome !== "same") shadow[outcome] = value as number;
    if (outcome !== "dropped") shadow.asked += value as number;
  }
  for (const { labels, value } of cellsIn(readings, LARGEST)) {
    const { shadow } = find(labels);
    shadow.largestDifferences[labels[2] ?? ""] = value as number;
    shadow.largestDifference = Math.max(shadow.largestDifference ?? 0, value as number);
  }
  for (const { labels, value } of cellsIn(readings, SECONDS)) {
    find(labels).shadow.latency.counts = (value as number[]).slice(0, bounds.length + 1);
  }
  return [...found.values()];
}

/** Of a version that was asked nothing on trial. */
export function unaskedTrial(
  { name, version }: { name: string; version: string },
  bounds: readonly number[] = PREDICT_BUCKETS,
): TrialFigures {
  const latency = { bounds: [...bounds], counts: [...bounds, 0].map(() => 0) };
  const difference = { largestDifference: null, largestDifferences: {} };
  const shadow = { asked: 0, failed: 0, differing: 0, dropped: 0, ...difference, latency };
  return { name, version, reasked: 0, shadow };
}
