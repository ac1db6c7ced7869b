import { invalid } from "../errors.ts";
import { planFeatures } from "./features.ts";
import type { PlanCostOptions } from "./options.ts";
import { type PlanLabel, parsePlans } from "./plans.ts";

/** The largest number that is told: JSON's readers hold whole numbers up to it exactly. */
const MOST = Number.MAX_SAFE_INTEGER;

/**
 * Turns plans as openGauss sends them into the rows that the model takes.
 * @returns a row for each line of the file, row-major
 * @throws SlipwayError E_TRAINING_INVALID for a file that is none, or has encodings of another length than the model was trained with
 */
export function planRows({ encoding }: PlanCostOptions, text: string): { rows: number; values: Float32Array } {
  const nodes = parsePlans(text);
  const length = nodes[0]?.encoding.length;
  if (length !== encoding) throw invalid(`the plans have encodings of ${length} numbers, the model takes ${encoding}`);
  const { rows, values } = planFeatures(nodes);
  return { rows, values: Float32Array.from(values) };
}

/** A cost from what the model answers for it: whole and not negative. */
export function costOf(output: number): number {
  return Math.round(Math.min(Math.max(Math.expm1(output), 0), MOST));
}

/**
 * The model's outputs, row after row, as the engine's `/predict` tells them: for each kind of cost its whole numbers between commas, in
 * the order of the file's lines; null for what the model does not predict.
 */
export function planCostReply({ labels }: PlanCostOptions, outputs: ArrayLike<number>) {
  const column = (label: PlanLabel): string | null => {
    const at = labels.indexOf(label);
    if (at === -1) return null;
    const costs = [];
    for (let i = at; i < outputs.length; i += labels.length) costs.push(costOf(outputs[i] as number));
    return costs.join(", ");
  };
  return { pred_startup: column("S"), pred_total: column("T"), pred_rows: column("R"), pred_mem: column("M") };
}
