import type { Cell, Family, Reading } from "./meter.ts";

export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Readings in Prometheus' text format, version 0.0.4. */
export function expositionOf(readings: readonly Reading[]): string {
  return readings.map(({ family, cells }) => familyText(family, cells)).join("");
}

function familyText(family: Family, cells: readonly Cell[]): string {
  const { name, help, kind } = family;
  const lines = cells.flatMap((cell) => (kind === "histogram" ? histogramLines(family, cell) : [lineOf(family, cell)]));
  return [`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} ${kind}`, ...lines, ""].join("\n");
}

function lineOf({ name, labels }: Family, cell: Cell): string {
  return `${name}${labelText(labels, cell.labels)} ${numberText(cell.value as number)}`;
}

/** Buckets count what fell into them and into all below. */
function histogramLines({ name, labels, buckets = [] }: Family, cell: Cell): string[] {
  const counts = cell.value as number[];
  let count = 0;
  const lines = [...buckets.map(numberText), "+Inf"].map((bound, at) => {
    count += counts[at] ?? 0;
    return `${name}_bucket${labelText([...labels, "le"], [...cell.labels, bound])} ${count}`;
  });
  const own = labelText(labels, cell.labels);
  return [...lines, `${name}_sum${own} ${numberText(counts.at(-1) ?? 0)}`, `${name}_count${own} ${count}`];
}

function labelText(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return "";
  return `{${names.map((name, at) => `${name}="${escaped(values[at] ?? "").replaceAll('"', '\\"')}"`).join(",")}}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? "+Inf" : "-Inf";
}
