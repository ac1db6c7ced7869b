import type { Metrics } from "../gate.ts";
import { ratioError } from "../measure.ts";
import type { PlanCostOptions } from "./options.ts";
import { type PlanLabel, planLabels } from "./plans.ts";
import { costOf } from "./predict.ts";

/** A model that is further off than this is not converged. */
const CONVERGED = 2;

const names: Record<PlanLabel, string> = { S: "startup", T: "total", R: "row", M: "mem" };

/**
 * The figures of a model over nodes that it was not trained on, by the engine's names: `re_*` is the mean ratio error of a cost, −1 for
 * one that is not predicted; `max_*` its largest value in the training data; `converged` is 1 if every ratio error is at most 2. Beside
 * them `max_re_*`, the largest ratio error of a node, and `meanRatioError`, the largest of the means.
 * @param outputs of the model, row after row
 * @param costs what was measured, in the same order
 */
export function planCostFigures(options: PlanCostOptions, outputs: Float64Array, costs: Float64Array): Metrics {
  const { labels, maxima, featureLength } = options;
  const rows = costs.length / labels.length;
  const figures: Metrics = { rows, feature_length: featureLength };
  const means: number[] = [];
  for (const label of planLabels) {
    figures[`max_${names[label]}`] = maxima[label];
    const at = labels.indexOf(label);
    if (at === -1) {
      figures[`re_${names[label]}`] = -1;
      continue;
    }
    let sum = 0;
    let largest = 1;
    for (let i = at; i < costs.length; i += labels.length) {
      const error = ratioError(costOf(outputs[i] as number), costs[i] as number);
      sum += error;
      largest = Math.max(largest, error);
    }
    means.push(sum / rows);
    figures[`re_${names[label]}`] = sum / rows;
    figures[`max_re_${names[label]}`] = largest;
  }
  const worst = Math.max(...means);
  return { ...figures, meanRatioError: worst, converged: worst <= CONVERGED ? 1 : 0 };
}

const replied = [
  "re_startup",
  "re_total",
  "re_row",
  "re_mem",
  "max_startup",
  "max_total",
  "max_row",
  "max_mem",
  "converged",
  "feature_length",
] as const;

/** What the engine's `/train` answers, of a training's metrics. */
export function trainReply(metrics: Metrics): Record<(typeof replied)[number], number> {
  return Object.fromEntries(replied.map((name) => [name, metrics[name]])) as Record<(typeof replied)[number], number>;
}
