import { classOf, decide } from "../../models/card.ts";
import { deviation, type Golden, goldenInputs, hasGoldenRows } from "../../models/golden.ts";
import type { ServedModel } from "../../routing/question.ts";
import { jsonElements, tensorFromJson } from "../../tensors/json.ts";
import type { RawTensor } from "../../tensors/raw-tensor.ts";
import type { FrontendContext } from "../context.ts";

/** How a model that serves answers its golden questions. */
export interface GoldenResult {
  /** The largest deviation of a number: absolute, relative for known ones above 1. Undefined where no output is a number. */
  deviation: number | undefined;
  /** Of a classifier: the rows that are put into the class that is known, and how many rows there are. */
  classes: { right: number; rows: number } | undefined;
}

/**
 * Asks a model its golden questions, once for each digest. Undefined where it does not answer now, and for one that does something besides
 * answering.
 */
export function goldenChecker({ router }: Pick<FrontendContext, "router">) {
  const known = new Map<string, GoldenResult>();
  return async (served: ServedModel, golden: Golden): Promise<GoldenResult | undefined> => {
    const { digest } = served.model;
    if (known.has(digest)) return known.get(digest);
    if (served.card.pure === false) return undefined;
    try {
      const answer = await router.predict(served, goldenInputs(served.card, golden));
      if (answer.served.model.digest !== digest) return undefined;
      const result = compared(served, answer.outputs, golden);
      if (known.size > 32) known.clear();
      known.set(digest, result);
      return result;
    } catch {
      return undefined;
    }
  };
}

function compared({ card }: ServedModel, outputs: RawTensor[], golden: Golden): GoldenResult {
  if (hasGoldenRows(golden)) {
    const found = jsonElements(outputs[0] as RawTensor) as number[];
    const form = card.rows?.output;
    const wanted = form && decide(form, golden.outputs).map(classOf);
    const right = form && decide(form, found).filter((one, row) => classOf(one) === wanted?.[row]).length;
    const tells = form !== undefined && form.kind !== "values";
    return {
      deviation: worst(found, golden.outputs),
      classes: tells ? { right: right ?? 0, rows: golden.rows.length } : undefined,
    };
  }
  const worsts = card.outputs.flatMap(({ name }, at) => {
    const known = golden.outputs.find((tensor) => tensor.name === name);
    if (!known) return [];
    const wanted = jsonElements(tensorFromJson(known.datatype, known.shape, known.data));
    return worst(jsonElements(outputs[at] as RawTensor), wanted) ?? [];
  });
  return { deviation: worsts.length > 0 ? Math.max(...worsts) : undefined, classes: undefined };
}

function worst(found: unknown[], wanted: unknown[]): number | undefined {
  const numbers = found.flatMap((value, at) => {
    const known = wanted[at];
    return typeof value === "number" && typeof known === "number" ? deviation(value, known) : [];
  });
  return numbers.length > 0 ? numbers.reduce((most, one) => Math.max(most, one), 0) : undefined;
}
