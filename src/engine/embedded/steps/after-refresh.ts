import type { DiffKind, DiffResult } from "../../resource-provider.ts";
import type { ResourceState } from "../state/resource-state.ts";

/**
 * The state after a refresh (pulumi/pulumi, deployment_executor.go, rebuildBaseState): what is gone is left out, what was read stands
 * in its predecessor's place, and nobody names a resource that is not before him any more. A child of what is gone becomes its
 * grandparent's.
 * @param order the state's own order
 * @param read what became of each resource that was looked at; undefined for one that is gone
 */
export function afterRefresh(
  order: readonly ResourceState[],
  read: ReadonlyMap<ResourceState, ResourceState | undefined>,
): ResourceState[] {
  const result = (state: ResourceState) => (read.has(state) ? read.get(state) : state);
  const live = new Set(order.filter((state) => result(state)?.delete !== true && result(state)).map(({ urn }) => urn));
  const before = new Set<string>();
  const heirs = new Map<string, string | undefined>();
  return order.flatMap((old) => {
    const heir = old.parent === undefined || live.has(old.parent) ? old.parent : heirs.get(old.parent);
    heirs.set(old.urn, heir);
    const state = result(old);
    if (state === undefined) return [];
    const named = (urns: readonly string[]) => urns.filter((urn) => before.has(urn));
    const { parent: _, deletedWith, ...others } = state;
    const kept: ResourceState = {
      ...others,
      dependencies: named(state.dependencies),
      propertyDependencies: withoutEmpty(state.propertyDependencies, named),
    };
    if (heir !== undefined) kept.parent = heir;
    if (deletedWith !== undefined && before.has(deletedWith)) kept.deletedWith = deletedWith;
    before.add(state.urn);
    return [kept];
  });
}

function withoutEmpty(lists: Record<string, string[]>, change: (urns: readonly string[]) => string[]) {
  const changed = Object.entries(lists).map(([key, urns]) => [key, change(urns)] as const);
  return Object.fromEntries(changed.filter(([, urns]) => urns.length > 0));
}

const inverse: Record<DiffKind, DiffKind> = {
  add: "delete",
  "add-replace": "delete-replace",
  delete: "add",
  "delete-replace": "add-replace",
  update: "update",
  "update-replace": "update-replace",
};

/**
 * What a refresh found, out of what an `up` would do about it: that takes what was read for the old and the program's wishes for the
 * new, and a refresh shows how the one came from the other.
 */
export function inverted(diff: DiffResult): DiffResult {
  const entries = Object.entries(diff.detailedDiff).map(
    ([path, { kind, inputDiff }]) => [path, { kind: inverse[kind], inputDiff }] as const,
  );
  return { ...diff, detailedDiff: Object.fromEntries(entries) };
}
