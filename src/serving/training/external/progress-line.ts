import { z } from "zod";
import type { EpochProgress } from "../contract.ts";

const figure = z.number().optional();
const progressSchema = z.object({
  epoch: z.number().int().positive(),
  epochs: z.number().int().positive().optional(),
  loss: figure,
  accuracy: figure,
  valLoss: figure,
  valAccuracy: figure,
});

/** Reads a line that an external trainer printed. Undefined for one that tells no epoch: it belongs to the log. */
export function readProgress(line: string): Omit<EpochProgress, "elapsedMs"> | undefined {
  if (!line.startsWith("{")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const found = progressSchema.safeParse(value);
  if (!found.success) return undefined;
  const { epoch, epochs = epoch, ...figures } = found.data;
  const known = Object.entries(figures).filter(([, figure]) => figure !== undefined);
  return { epoch, epochs: Math.max(epochs, epoch), ...Object.fromEntries(known) };
}
