import { type ResourceState, urnsBefore } from "../state/resource-state.ts";

/**
 * For each resource to delete, those that must be gone before it: all that name it. `order` is the state's own, in which whatever
 * a resource names stands before it; a URN means the resources before the one that names it, so a replaced resource waits for
 * those of its own generation and there is never a circle.
 */
export function planDeletions(
  order: readonly ResourceState[],
  doomed: ReadonlySet<ResourceState>,
): Map<ResourceState, ResourceState[]> {
  const plan = new Map<ResourceState, ResourceState[]>();
  const before = new Map<string, ResourceState[]>();
  for (const state of order) {
    if (!doomed.has(state)) continue;
    plan.set(state, []);
    for (const urn of urnsBefore(state)) {
      for (const named of before.get(urn) ?? []) plan.get(named)?.push(state);
    }
    before.set(state.urn, [...(before.get(state.urn) ?? []), state]);
  }
  return plan;
}

/** Runs an action for each node of a plan once those it waits for have succeeded; what waits for a failed one is left out. */
export async function runPlan<T>(
  plan: ReadonlyMap<T, readonly T[]>,
  action: (node: T) => Promise<boolean>,
): Promise<void> {
  const started = new Map<T, Promise<boolean>>();
  const start = (node: T): Promise<boolean> => {
    const running = started.get(node);
    if (running !== undefined) return running;
    const result = Promise.all((plan.get(node) ?? []).map(start)).then(
      (before) => before.every(Boolean) && action(node),
    );
    started.set(node, result);
    return result;
  };
  await Promise.all([...plan.keys()].map(start));
}

/**
 * The resources that cannot outlive a change of the `roots`, in the state's order: those whose provider is among the doomed,
 * those that are deleted with one, and those which `isForced` says so of, asked for each that takes a property from a doomed one. A plain dependsOn does not count.
 */
export async function dependentsOf(
  roots: readonly ResourceState[],
  order: readonly ResourceState[],
  isForced: (dependent: ResourceState, changing: ReadonlySet<string>) => Promise<boolean>,
): Promise<ResourceState[]> {
  const changing = new Set<string>();
  const dependents: ResourceState[] = [];
  for (const state of order) {
    if (roots.includes(state)) changing.add(state.urn);
    if (roots.includes(state) || state.pendingReplacement || !state.custom) continue;
    const takes = Object.values(state.propertyDependencies).some((urns) => urns.some((urn) => changing.has(urn)));
    if (state.deletedWith !== undefined && changing.has(state.deletedWith)) {
      changing.add(state.urn);
      dependents.push(state);
      continue;
    }
    const provided =
      state.provider !== undefined && [...changing].some((urn) => state.provider?.startsWith(`${urn}::`));
    if (provided || (takes && (await isForced(state, changing)))) {
      changing.add(state.urn);
      dependents.push(state);
    }
  }
  return dependents;
}
