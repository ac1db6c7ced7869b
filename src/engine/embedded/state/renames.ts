import { parseProviderReference, qualifiedTypeOf, stackType, withParent } from "../urn.ts";
import { mapValues } from "../values/value.ts";
import type { ResourceState } from "./resource-state.ts";

/**
 * Resources with the URNs that they have now: where one was found through an alias, whatever names it follows, and so do its
 * children's own URNs (pulumi/pulumi, pkg/resource/deploy/snapshot.go, NormalizeURNReferences). A file needs no aliases then.
 */
export function withCurrentUrns(
  resources: readonly ResourceState[],
  renamed: ReadonlyMap<string, string>,
): ResourceState[] {
  if (renamed.size === 0) return [...resources];
  const now = new Map(renamed);
  const live = new Set(resources.filter((state) => !state.delete).map((state) => state.urn));
  for (const { urn, parent } of resources) {
    const moved = parent === undefined ? undefined : now.get(parent);
    if (moved === undefined || qualifiedTypeOf(moved) === stackType || now.has(urn)) continue;
    const below = withParent(urn, moved);
    if (!live.has(below)) now.set(urn, below);
  }
  const current = (urn: string) => now.get(urn) ?? urn;
  return resources.map((state) => withUrns(state, current));
}

function withUrns(state: ResourceState, current: (urn: string) => string): ResourceState {
  const { parent, provider, deletedWith } = state;
  return {
    ...state,
    urn: current(state.urn),
    dependencies: state.dependencies.map(current),
    propertyDependencies: mapValues(state.propertyDependencies, (urns) => urns.map(current)),
    ...(parent === undefined ? {} : { parent: current(parent) }),
    ...(provider === undefined ? {} : { provider: currentProvider(provider, current) }),
    ...(deletedWith === undefined ? {} : { deletedWith: current(deletedWith) }),
  };
}

function currentProvider(reference: string, current: (urn: string) => string): string {
  const { urn, id } = parseProviderReference(reference);
  return `${current(urn)}::${id}`;
}
