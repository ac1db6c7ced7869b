import { exportStack } from "../engine/embedded/stacks/export.ts";
import type { StackReference } from "../engine/engine.ts";

/** A resource as a stack's state has it. */
export interface StateResource {
  urn: string;
  type: string;
  custom?: boolean;
  id?: string;
  parent?: string;
  dependencies?: string[];
  provider?: string;
}

const VOLUME = "openstack:blockstorage/volume:Volume";

/** The resources that a stack's state remembers; none where there is no state. */
export async function stateResources(reference: StackReference): Promise<StateResource[]> {
  const { deployment } = await exportStack(reference);
  return (deployment as { resources?: StateResource[] | null }).resources ?? [];
}

/** The volumes that a state has: what is kept of a stack whose data is kept. */
export function volumesOf(resources: readonly StateResource[]): StateResource[] {
  return resources.filter(({ type, custom }) => type === VOLUME && custom === true);
}

/** The URNs of everything but the volumes and what those cannot be without: their parents, providers and dependencies. */
export function urnsWithoutVolumes(resources: readonly StateResource[]): string[] {
  const byUrn = new Map(resources.map((one) => [one.urn, one]));
  const kept = new Set<string>();
  const keep = (urn: string) => {
    const state = byUrn.get(urn);
    if (state === undefined || kept.has(urn)) return;
    kept.add(urn);
    const provider = state.provider?.slice(0, state.provider.lastIndexOf("::"));
    for (const needed of [state.parent, provider, ...(state.dependencies ?? [])]) if (needed) keep(needed);
  };
  for (const { urn } of volumesOf(resources)) keep(urn);
  return resources.filter(({ urn, type }) => !kept.has(urn) && !type.startsWith("pulumi:")).map(({ urn }) => urn);
}
