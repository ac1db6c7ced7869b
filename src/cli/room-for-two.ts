import { SlipwayError } from "../common/errors.ts";
import type { Flavor } from "../openstack/compute/flavors.ts";
import type { Session } from "../openstack/session.ts";
import { projectQuotas, type Quota } from "../openstack/usage.ts";

/**
 * Shows that the project may have one more host beside what it has.
 * @param needsAddress whether it is reached by SSH before it gets the stack's address
 * @throws SlipwayError E_QUOTA with what is used, allowed and needed
 */
export async function requireRoom(
  session: Session,
  host: string,
  flavor: Pick<Flavor, "vcpus" | "ram">,
  needsAddress: boolean,
): Promise<void> {
  const needs = {
    instances: 1,
    cores: flavor.vcpus,
    "memory MiB": flavor.ram,
    ports: 1,
    "floating IPs": Number(needsAddress),
  };
  const lacking = lacks(await projectQuotas(session), needs);
  if (lacking.length === 0) return;
  throw new SlipwayError("E_QUOTA", `${host} does not fit beside the host that serves: ${lacking[0]}`, {
    details: lacking.slice(1),
    hint: "Make room or ask for a larger quota; nothing was changed. With an interruption: `slipway down`, then `slipway up`.",
  });
}

/** What more than a quota allows is needed of, a line each. What a cloud does not tell is left to it. */
export function lacks(quotas: readonly Quota[], needs: Record<string, number>): string[] {
  return quotas.flatMap(({ word, used, limit }) => {
    const wanted = needs[word] ?? 0;
    return wanted > 0 && used + wanted > limit ? [`${word}: ${used} of ${limit} used, ${wanted} more needed`] : [];
  });
}
