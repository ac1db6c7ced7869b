import { z } from "zod";
import { messageOf, SlipwayError } from "../../../common/errors.ts";
import type { ModelPackage } from "../../models/package.ts";
import { trainingRecordSchema } from "../record.ts";
import { type PlanLabel, planLabels } from "./plans.ts";

/** What a caller needs to ask a plan-cost model: `options` in its package's `training.json`. */
const planCostOptionsSchema = z.object({
  /** In the order S, T, R, M; the model answers ln(1 + cost) for each. */
  labels: z.array(z.enum(planLabels)).min(1),
  /** Numbers of an encoding as the kernel sends it. */
  encoding: z.number().int().positive(),
  /** What the engine calls `feature_length`: an encoding's numbers after the reduction. */
  featureLength: z.number().int().positive(),
  hiddenUnits: z.number().int().positive(),
  dimRed: z.number(),
  /** The largest cost of each kind in the training data, at least 1. */
  maxima: z.record(z.enum(planLabels), z.number()),
});

export type PlanCostOptions = z.output<typeof planCostOptionsSchema>;

/** The letters in the order that openGauss keeps. */
export function orderedLabels(letters: string): PlanLabel[] {
  return planLabels.filter((label) => letters.includes(label));
}

/** The options of a package's plan-cost model. Throws SlipwayError E_MODEL_INVALID where it is none. */
export function planCostOptions({ training }: Pick<ModelPackage, "training">): PlanCostOptions {
  try {
    return planCostOptionsSchema.parse(trainingRecordSchema.parse(JSON.parse(training ?? "null")).options);
  } catch (cause) {
    throw new SlipwayError("E_MODEL_INVALID", `the model is no plan-cost model: ${messageOf(cause)}`, { cause });
  }
}
