import { median } from "../report.ts";
import { failed } from "./load-report.ts";
import type { Net } from "./nets.ts";
import { coresOf, type Measurement, type PathResult, rateOf } from "./rounds.ts";

/** The path that all others are compared with. */
const BASELINE = "batch";

/** Median, and least and most in brackets. */
export function spread(values: readonly number[], digits = 0): string {
  const shown = [median(values), Math.min(...values), Math.max(...values)].map((value) => value.toFixed(digits));
  return `${shown[0]} (${shown[1]}–${shown[2]})`;
}

/** Two paths compared round by round; what else the machine did in a round met both. Empty where either was not measured. */
export function ratios(
  above: PathResult | undefined,
  below: PathResult | undefined,
  of: (measurement: Measurement) => number,
  series: "many" | "one" = "many",
): number[] {
  if (above === undefined || below === undefined) return [];
  return above[series].map((measurement, round) => of(measurement) / of(below[series][round] as Measurement));
}

const perCore = (measurement: Measurement) => rateOf(measurement) / coresOf(measurement);
const p99 = ({ load }: Measurement) => load.p99;

/** Every path under load, and with one connection, as Markdown. */
export function resultTable(net: Net, results: PathResult[], connections: number): string {
  const baseline = results.find(({ path }) => path.key === BASELINE);
  const rows = results.map((result) => {
    const { path, many, one } = result;
    const of = (pick: (measurement: Measurement) => number, digits = 0, series = many) =>
      median(series.map(pick)).toFixed(digits);
    const compared = ratios(result, baseline, rateOf);
    const cells = [
      path.name,
      spread(many.map(rateOf)),
      compared.length === 0 ? "" : spread(compared, 2),
      of(({ load }) => load.p50, 2),
      of(p99, 2),
      of(({ load }) => load.p99 / load.p50, 1),
      coresText(many),
      of(perCore),
      `${many.reduce((sum, { load }) => sum + failed(load), 0)}`,
      of(({ load }) => load.p50, 2, one),
      of(p99, 2, one),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const head = [
    "path",
    "requests/s",
    "÷ micro-batched in process",
    "p50 ms",
    "p99 ms",
    "p99 ÷ p50",
    "cores used",
    "requests/s per core",
    "failed",
    "p50 ms, 1 connection",
    "p99 ms, 1 connection",
  ];
  return [
    `## ${net.name} net: ${net.what}, ${connections} connections`,
    "",
    `| ${head.join(" | ")} |`,
    `|${head.map(() => "---").join("|")}|`,
    ...rows,
  ].join("\n");
}

/** Cores that each of a path's processes used, medians of the rounds. */
export function coresText(measurements: Measurement[]): string {
  const names = Object.keys(measurements[0]?.cores ?? {});
  return names
    .map((name) => `${name} ${median(measurements.map(({ cores }) => cores[name] ?? 0)).toFixed(2)}`)
    .join(", ");
}

interface Target {
  measure: string;
  target: string;
  values: number[];
  met: (value: number) => boolean;
}

/** What issue 6 asks for, and what came out; medians of the rounds' ratios. */
export function targetTable(net: Net, results: PathResult[]): string {
  const find = (key: string) => results.find(({ path }) => path.key === key);
  const competitors = results.filter(({ path }) => path.kind === "competitor");
  const [ours, baseline] = [find("json"), find(BASELINE)];
  const best = competitors.toSorted((a, b) => median(b.many.map(perCore)) - median(a.many.map(perCore)))[0];
  const least = (target: number) => (value: number) => value >= target;
  const targets: Target[] = [
    {
      measure: "synchronous path ÷ micro-batched in process",
      target: net.name === "small" ? "≥ 0.95" : "≥ 1.0",
      values: ratios(ours, baseline, rateOf),
      met: least(net.name === "small" ? 0.95 : 1),
    },
    {
      measure: "synchronous path ÷ the same frontend with the model in its process",
      target: "",
      values: ratios(ours, find("whole"), rateOf),
      met: () => true,
    },
    {
      measure: "p99 ÷ p50",
      target: net.name === "heavy" ? "≤ 2" : "",
      values: ours?.many.map(({ load }) => load.p99 / load.p50) ?? [],
      met: (value) => net.name !== "heavy" || value <= 2,
    },
    {
      measure: "durable mode ÷ micro-batched in process",
      target: "≥ 0.7",
      values: ratios(find("durable"), baseline, rateOf),
      met: least(0.7),
    },
    {
      measure: `per core ÷ ${best?.path.name ?? ""}, the best of the others`,
      target: "≥ 2",
      values: ratios(ours, best, perCore),
      met: least(2),
    },
    {
      measure: "per core ÷ Flask + Celery",
      target: "≥ 10",
      values: ratios(ours, find("celery"), perCore),
      met: least(10),
    },
    ...competitors.map((each) => ({
      measure: `p99 ÷ that of ${each.path.name}`,
      target: "< 1",
      values: ratios(ours, each, p99),
      met: (value: number) => value < 1,
    })),
  ];
  const rows = targets
    .filter(({ values }) => values.length > 0)
    .map(({ measure, target, values, met }) => {
      const verdict = target === "" ? "" : met(median(values)) ? "met" : "**missed**";
      return `| ${measure} | ${target} | ${spread(values, 2)} | ${verdict} |`;
    });
  return [
    `### ${net.name} net against the targets`,
    "",
    "| measure | target | measured | |",
    "|---|---|---|---|",
    ...rows,
  ].join("\n");
}
