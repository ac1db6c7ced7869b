import type { EpochProgress } from "../training/contract.ts";

const FIGURES = ["loss", "accuracy", "valLoss", "valAccuracy"] as const;

/** An epoch of a training as its log tells it. */
export type Epoch = Omit<EpochProgress, "elapsedMs">;

/** An epoch as a line of the job's log: for people, and for {@link epochOf}. Numbers keep all their digits. */
export function epochLine(epoch: Epoch, time: Date): string {
  const figures = FIGURES.filter((name) => epoch[name] !== undefined).map((name) => `${name} ${epoch[name]}`);
  return `${time.toISOString()} ${[`epoch ${epoch.epoch}/${epoch.epochs}`, ...figures].join(", ")}`;
}

const LINE = /^\S+ epoch (\d{1,9})\/(\d{1,9})((?:, [A-Za-z]+ \S+)*)$/;

/** The epoch that a line tells; undefined for all other lines. What an external trainer prints begins otherwise. */
export function epochOf(line: string): Epoch | undefined {
  const [, epoch, epochs, figures = ""] = LINE.exec(line) ?? [];
  if (epoch === undefined) return undefined;
  const told: Epoch = { epoch: Number(epoch), epochs: Number(epochs) };
  for (const part of figures.split(", ").slice(1)) {
    const [name, value] = part.split(" ");
    const figure = FIGURES.find((one) => one === name);
    if (figure && Number.isFinite(Number(value))) told[figure] = Number(value);
  }
  return told;
}
