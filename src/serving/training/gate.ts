import { z } from "zod";

/** Measures of a trained model over the rows that it is judged on. A flat object of finite numbers, so that it travels as JSON. */
export type Metrics = Record<string, number>;

/** What a trained model must reach before it may be published. Everything that is set must hold; nothing set lets all pass. */
export const gateSchema = z.strictObject({
  /** The share of rows that are put into their class, at least. */
  minAccuracy: z.number().min(0).max(1).optional(),
  /** The loss, without penalties on weights, at most. */
  maxLoss: z.number().nonnegative().optional(),
  /** The mean over rows of max((p+ε)/(t+ε), (t+ε)/(p+ε)), at most; openGauss calls a model converged at 2 or less. */
  maxMeanRatioError: z.number().min(1).optional(),
  /** The same rows, the parent's network: the new one must not be worse. Needs a parent. */
  betterThanParent: z.boolean().default(false),
});

/** One condition of a gate with its figures. */
interface GateCheck {
  /** Of {@link Metrics}; `parentLoss` for the comparison with the parent. */
  metric: string;
  value: number;
  bound: "at least" | "at most";
  limit: number;
  passed: boolean;
}

/** What the gate says. */
export interface Verdict {
  passed: boolean;
  checks: GateCheck[];
}
