import { isProviderType, parseProviderReference } from "../urn.ts";
import type { ResourceState } from "./resource-state.ts";

/**
 * Why a list of resources is no valid state, or undefined where it is (pulumi/pulumi, pkg/resource/deploy/snapshot.go,
 * VerifyIntegrity): whatever a resource names must stand before it, and a URN is live at most once.
 */
export function integrityProblem(resources: readonly ResourceState[]): string | undefined {
  const seen = new Set<string>();
  const live = new Set<string>();
  const providers = new Set<string>();
  for (const state of resources) {
    const { urn } = state;
    if (!state.custom && state.id) return `component ${urn} has an id`;
    if (state.provider && !state.pendingReplacement) {
      const { urn: providerUrn, id } = parseProviderReference(state.provider);
      if (!providers.has(`${providerUrn}::${id}`))
        return `${urn} names a provider that is not before it: ${state.provider}`;
    }
    const named: [string, readonly string[]][] = [
      ["parent", state.parent ? [state.parent] : []],
      ["dependency", [...state.dependencies, ...Object.values(state.propertyDependencies).flat()]],
      ["deletedWith", state.deletedWith ? [state.deletedWith] : []],
    ];
    for (const [what, urns] of named) {
      const missing = urns.find((other) => !seen.has(other));
      if (missing !== undefined) return `${urn} names a ${what} that is not before it: ${missing}`;
    }
    if (!state.delete) {
      if (live.has(urn)) return `${urn} is there twice`;
      live.add(urn);
    }
    seen.add(urn);
    if (isProviderType(state.type)) providers.add(`${urn}::${state.id ?? ""}`);
  }
  return undefined;
}
