import { isDeepStrictEqual } from "node:util";
import type { DiffKind, DiffResult } from "../../resource-provider.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { parsePath, pathWithin } from "../values/paths.ts";
import { entry, type ValueMap } from "../values/value.ts";

/** What to do about a resource that exists. */
export type Decision =
  | { action: "same" }
  | { action: "update"; diff: DiffResult }
  | { action: "replace"; diff: DiffResult; reasons: string[]; deleteFirst: boolean };

/** The options of a registration that bear on the decision. */
export interface DecisionOptions {
  /** The program's own choice, over the provider's. */
  deleteBeforeReplace: boolean | undefined;
  replaceOnChanges: readonly string[];
  provider: string;
}

/** Compares a resource's state with what the provider said of its new inputs (pulumi/pulumi, step_generator.go, diff). */
export function decide(old: ResourceState, diff: DiffResult, options: DecisionOptions): Decision {
  const deleteFirst = options.deleteBeforeReplace ?? diff.deleteBeforeReplace;
  if (((old.provider ?? "") === "") !== (options.provider === "")) {
    return { action: "replace", diff, reasons: ["provider"], deleteFirst };
  }
  const paths = Object.keys(diff.detailedDiff);
  const changed = diff.changes || diff.replaces.length > 0 || paths.length > 0;
  if (!changed) {
    if (old.initErrors.length === 0) return { action: "same" };
    // An empty update lets the provider try the initialisation again.
    return options.replaceOnChanges.includes("#initerror")
      ? { action: "replace", diff, reasons: ["#initerror"], deleteFirst }
      : { action: "update", diff };
  }
  const reasons = new Set(diff.replaces);
  for (const path of paths) {
    const kind = diff.detailedDiff[path]?.kind;
    const demanded = options.replaceOnChanges.some((pattern) => pathWithin(parsePath(path), parsePath(pattern)));
    if (kind?.endsWith("-replace") || demanded) reasons.add(path);
  }
  if (reasons.size > 0) return { action: "replace", diff, reasons: [...reasons], deleteFirst };
  return { action: "update", diff };
}

/** The difference of inputs, key by key: for components, and where no provider can be asked. */
export function diffInputs(olds: ValueMap, news: ValueMap): DiffResult {
  const keys = new Set([...Object.keys(olds), ...Object.keys(news)]);
  const detailedDiff: DiffResult["detailedDiff"] = {};
  for (const key of keys) {
    const [before, after] = [entry(olds, key), entry(news, key)];
    if (isDeepStrictEqual(before, after)) continue;
    const kind: DiffKind = before === undefined ? "add" : after === undefined ? "delete" : "update";
    detailedDiff[key] = { kind, inputDiff: true };
  }
  return { changes: Object.keys(detailedDiff).length > 0, replaces: [], deleteBeforeReplace: false, detailedDiff };
}
