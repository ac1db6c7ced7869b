import type { NetworkingPlan } from "../dataplane.ts";

/** External address → the router that answers for it. */
function owners(plan: NetworkingPlan): Map<string, string> {
  return new Map(
    plan.routers.flatMap(({ id, externalIp, floatingIps, portForwardings }) => [
      ...(externalIp === null ? [] : [[externalIp, id] as const]),
      ...[...floatingIps, ...portForwardings].map(({ floatingIp }) => [floatingIp, id] as const),
    ]),
  );
}

/**
 * External addresses that another router answers for than before, or that nobody did. Whoever talked to them remembers the old
 * router's MAC for many seconds; Neutron announces such addresses by gratuitous ARP.
 * @param before undefined: nothing is known of what was
 */
export function movedAddresses(before: NetworkingPlan | undefined, after: NetworkingPlan): string[] {
  const known = before === undefined ? new Map<string, string>() : owners(before);
  return [...owners(after)].filter(([address, router]) => known.get(address) !== router).map(([address]) => address);
}
