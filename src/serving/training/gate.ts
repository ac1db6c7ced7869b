import { z } from "zod";

/** Measures of a trained model over the rows that it is judged on. A flat object of finite numbers, so that it travels as JSON. */
export type Metrics = Record<string, number>;

/** What a trained model must reach before it may be published. Everything that is set must hold; nothing set lets all pass. */
export const gateSchema = z.strictObject({
  /** The share of rows that are put into their class, at least. */
  minAccuracy: z.number().min(0).max(1).optional(),
  /** The loss, without penalties on weights, at most. */
  maxLoss: z.number().nonnegative().optional(),
  /** The mean over rows of max((p+1)/(t+1), (t+1)/(p+1)), at most; openGauss calls a model converged at 2 or less. */
  maxMeanRatioError: z.number().min(1).optional(),
  /** The loss must not be above that of the parent's network over the same rows. Needs a parent. */
  betterThanParent: z.boolean().default(false),
});

export type Gate = z.output<typeof gateSchema>;

/** One condition of a gate with its figures. */
interface GateCheck {
  /** Of {@link Metrics}. */
  metric: string;
  /** Undefined where the model has no such figure: then the check is not passed. */
  value: number | undefined;
  bound: "at least" | "at most";
  limit: number | undefined;
  passed: boolean;
}

/** What the gate says. */
export interface Verdict {
  passed: boolean;
  checks: GateCheck[];
}

/** Compares a model's figures with what the gate asks for. `parentLoss` among the figures is the parent's loss over the same rows. */
export function judge(gate: Gate, metrics: Metrics): Verdict {
  const checks = [
    check("accuracy", "at least", gate.minAccuracy, metrics),
    check("loss", "at most", gate.maxLoss, metrics),
    check("meanRatioError", "at most", gate.maxMeanRatioError, metrics),
    ...(gate.betterThanParent ? [compare("loss", "at most", metrics.parentLoss, metrics)] : []),
  ].filter((found) => found !== undefined);
  return { passed: checks.every(({ passed }) => passed), checks };
}

function check(metric: string, bound: GateCheck["bound"], limit: number | undefined, metrics: Metrics) {
  return limit === undefined ? undefined : compare(metric, bound, limit, metrics);
}

function compare(metric: string, bound: GateCheck["bound"], limit: number | undefined, metrics: Metrics): GateCheck {
  const value = metrics[metric];
  const isKnown = value !== undefined && limit !== undefined;
  return { metric, value, bound, limit, passed: isKnown && (bound === "at least" ? value >= limit : value <= limit) };
}

/** The verdict in words, a line for each check. */
export function verdictLines({ passed, checks }: Verdict): string[] {
  return [
    `the gate is ${passed ? "" : "not "}passed`,
    ...checks.map(({ metric, value, bound, limit, passed: one }) => {
      return `${one ? "passed" : "not passed"}: ${metric} ${value ?? "unknown"} must be ${bound} ${limit ?? "(unknown)"}`;
    }),
  ];
}
