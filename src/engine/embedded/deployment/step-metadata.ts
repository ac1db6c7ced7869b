import { isHalfOfReplacement, type StateMetadata, type StepMetadata, type StepOperation } from "../../events.ts";
import type { DiffResult } from "../../resource-provider.ts";
import type { Redactor } from "../secrets/redactor.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { isProviderType } from "../urn.ts";
import { parsePath } from "../values/paths.ts";

/** What is told of a step besides its resource. */
export interface StepFacts {
  /** The resource as it was; a step may find it only while it runs. */
  old?: ResourceState | undefined;
  /** How the program's wishes differ from it. */
  diff?: DiffResult | undefined;
  /** Why the resource is replaced: the properties. */
  replaceReasons?: readonly string[];
}

/** Steps that leave nothing behind. */
const removals = new Set<StepOperation>([
  "delete",
  "delete-replaced",
  "discard",
  "discard-replaced",
  "remove-pending-replace",
]);
/** Steps whose resource is already known when they begin; others have neither id nor outputs by then. */
const knownBefore = new Set<StepOperation>(["replace", "refresh"]);
const readById = new Set<StepOperation>(["read", "read-replacement", "import", "import-replacement"]);

/** Whether a step is one of the program's own, which is counted. */
export function isLogical(operation: StepOperation): boolean {
  return operation !== "refresh" && !isHalfOfReplacement(operation);
}

/** A step as events have it; `before` is its beginning. */
export function stepMetadata(
  redactor: Redactor,
  operation: StepOperation,
  state: ResourceState,
  facts: StepFacts,
  before: boolean,
): StepMetadata {
  const gone = removals.has(operation);
  const old = facts.old ?? (gone || operation === "same" || operation === "refresh" ? state : undefined);
  const keys = (facts.replaceReasons ?? []).map((key) => redactor.clean(key));
  const { diffs, detailedDiff } = differences(redactor, state, facts.diff);
  return {
    op: operation,
    urn: state.urn,
    type: state.type,
    old: old === undefined ? null : stateMetadata(redactor, old),
    new: gone ? null : beginning(stateMetadata(redactor, state), before ? operation : undefined),
    ...(keys.length === 0 ? {} : { keys }),
    ...(diffs.length === 0 ? {} : { diffs }),
    detailedDiff,
    ...(isLogical(operation) ? { logical: true } : {}),
    provider: state.provider ?? "",
  };
}

function beginning(state: StateMetadata, operation: StepOperation | undefined): StateMetadata {
  if (operation === undefined || knownBefore.has(operation)) return state;
  return { ...state, id: readById.has(operation) ? state.id : "", outputs: {} };
}

/** Only a resource's provider knows which paths differ: components have their inputs alone, providers the names of theirs. */
function differences(redactor: Redactor, state: ResourceState, diff: DiffResult | undefined) {
  if (diff === undefined || !state.custom) return { diffs: [], detailedDiff: null };
  const entries = Object.entries(diff.detailedDiff).map(([path, { kind, inputDiff }]) => {
    return { path: redactor.clean(path), difference: { diffKind: kind, inputDiff } };
  });
  return {
    diffs: entries.map(({ path }) => String(parsePath(path)[0] ?? path)),
    detailedDiff: isProviderType(state.type)
      ? null
      : Object.fromEntries(entries.map(({ path, difference }) => [path, difference])),
  };
}

/** A resource as events have it: without what only the engine needs, secrets masked. */
function stateMetadata(redactor: Redactor, state: ResourceState): StateMetadata {
  return {
    type: state.type,
    urn: state.urn,
    ...(state.custom ? { custom: true } : {}),
    ...(state.delete ? { delete: true } : {}),
    id: redactor.clean(state.id ?? ""),
    parent: state.parent ?? "",
    ...(state.protect ? { protect: true } : {}),
    ...(state.external ? { external: true } : {}),
    ...(state.retainOnDelete ? { retainOnDelete: true } : {}),
    inputs: redactor.mask(state.inputs),
    outputs: redactor.mask(state.outputs),
    provider: state.provider ?? "",
    ...(state.initErrors.length === 0 ? {} : { initErrors: state.initErrors.map((text) => redactor.clean(text)) }),
  };
}
