import { cpus, totalmem } from "node:os";

/** Named series of measurements. */
export type Samples = Map<string, number[]>;

export function addSample(samples: Samples, name: string, value: number): void {
  samples.set(name, [...(samples.get(name) ?? []), value]);
}

/** The line that says on what and when it was measured. */
export function machineLine(rounds: number): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  const today = new Date().toISOString().slice(0, 10);
  return `${cpus().length} cores (${cpus()[0]?.model}), ${memory} GiB, ${today}, ${rounds} rounds`;
}

/** Median, least and most of each series, as a Markdown table. */
export function table(samples: Samples, unit: string): string {
  const rows = [...samples].map(([name, values]) => {
    const cells = [median(values), Math.min(...values), Math.max(...values)].map(Math.round);
    return `| ${name} | ${cells.join(" | ")} |`;
  });
  return [`| | median ${unit} | least | most |`, "|---|---|---|---|", ...rows].join("\n");
}

/** The middle one; of an even number of values the upper of the two. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
