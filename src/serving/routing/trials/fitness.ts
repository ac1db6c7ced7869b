import { isDeepStrictEqual } from "node:util";
import type { Traffic } from "../../../guest/release-terms.ts";
import type { ModelCard } from "../../models/card.ts";

/** Whether what can be asked of one model can be asked of the other, and is answered by tensors of the same kind. */
export function isAskedAlike(a: ModelCard, b: ModelCard): boolean {
  return isDeepStrictEqual([a.inputs, a.outputs, a.batching], [b.inputs, b.outputs, b.batching]);
}

/** Why a version cannot be tried on the requests of the live one; undefined where it can. */
export function trialProblem(live: ModelCard, trial: ModelCard, mode: Traffic["mode"]): string | undefined {
  if (!isAskedAlike(live, trial) || live.rows?.output.kind !== trial.rows?.output.kind) {
    return "it takes or answers something else than the live version: ask it by its version";
  }
  const [columns, others] = [live.rows?.input.columns, trial.rows?.input.columns];
  // rows are numbers by their places: under other names they mean something else
  if (columns && others && !isDeepStrictEqual(columns, others)) {
    return "its columns are not the live version's: ask it by its version";
  }
  if (mode === "shadow" && trial.pure === false) {
    return "it does something besides answering, which a copy of a request would have it do once more";
  }
  return undefined;
}
