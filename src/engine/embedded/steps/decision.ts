import { isDeepStrictEqual } from "node:util";
import { SlipwayError } from "../../../common/errors.ts";
import type { DiffKind, DiffResult } from "../../resource-provider.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { parsePath, pathWithin } from "../values/paths.ts";
import { entry, type ValueMap } from "../values/value.ts";
import type { Goal } from "./goal.ts";

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
}

/** Stands for initialisation errors among the paths of replaceOnChanges. */
const initialisationKey = "#initerror";

/** Compares a resource's state with what the provider said of its new inputs (pulumi/pulumi, step_generator.go, continueStepsFromDiff). */
export function decide(old: ResourceState, diff: DiffResult, options: DecisionOptions): Decision {
  const demanded = options.replaceOnChanges.map(parsePath);
  const isDemanded = (path: string) => demanded.some((pattern) => pathWithin(parsePath(path), pattern));
  const paths = Object.keys(diff.detailedDiff);
  const unfinished = old.initErrors.length > 0;
  const reasons = new Set(diff.replaces);
  for (const path of paths) if (isReplace(diff.detailedDiff[path]?.kind) || isDemanded(path)) reasons.add(path);
  if (unfinished && isDemanded(initialisationKey)) reasons.add(initialisationKey);
  if (reasons.size > 0) {
    const deleteFirst = options.deleteBeforeReplace ?? diff.deleteBeforeReplace;
    return { action: "replace", diff, reasons: [...reasons], deleteFirst };
  }
  // An empty update lets the provider try the initialisation again.
  return diff.changes || paths.length > 0 || unfinished ? { action: "update", diff } : { action: "same" };
}

/** True where a provider says that a resource cannot be changed in place. */
export function demandsReplacement({ replaces, detailedDiff }: DiffResult): boolean {
  return replaces.length > 0 || Object.values(detailedDiff).some(({ kind }) => isReplace(kind));
}

function isReplace(kind: DiffKind | undefined): boolean {
  return kind?.endsWith("-replace") === true;
}

/** True where the program gives the id of what exists already, and the state does not have that yet. */
export function isImport(
  { custom, importId }: Pick<Goal, "custom" | "importId">,
  old: ResourceState | undefined,
): boolean {
  if (!custom || importId === "") return false;
  return old === undefined || old.external === true || (old.importID ?? old.id) !== importId;
}

/** The error for a resource that the program wants as it exists and other than it can be made of that. */
export function importedMayNotBeReplaced(urn: string, reasons: readonly string[]): SlipwayError {
  return new SlipwayError(
    "E_UPDATE_FAILED",
    `${urn} is imported, but ${reasons.join(", ")} cannot be changed without replacing it`,
    { hint: "Give it the value that the existing resource has, or take `import` out of its options." },
  );
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
