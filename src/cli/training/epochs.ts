import type { Epoch } from "../../serving/jobs/epoch-lines.ts";
import type { Reporter } from "../ui/reporter.ts";

const FIGURES = { loss: "loss", accuracy: "accuracy", valLoss: "val loss", valAccuracy: "val accuracy" } as const;

/** An epoch on a line for people. */
function epochText(epoch: Epoch): string {
  const figures = Object.entries(FIGURES).flatMap(([figure, name]) => {
    const value = epoch[figure as keyof typeof FIGURES];
    return value === undefined ? [] : [`${name} ${value.toFixed(4)}`];
  });
  return [`epoch ${String(epoch.epoch).padStart(String(epoch.epochs).length)}/${epoch.epochs}`, ...figures].join("  ");
}

/** Shows an epoch: the next one takes its place. */
export function reportEpoch(reporter: Reporter, epoch: Epoch): void {
  reporter.passing({ type: "epoch", ...epoch }, epochText(epoch));
}

/** What a model reached, a figure on each line. */
export function metricsText(metrics: Readonly<Record<string, number>>): string[] {
  return Object.entries(metrics).map(([name, value]) => `  ${name.padEnd(20)}${Number(value.toPrecision(6))}`);
}
