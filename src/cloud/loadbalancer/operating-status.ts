import type { BalancerHealth } from "./engine.ts";
import type { Family, LoadBalancer, OperatingStatus } from "./records.ts";

/** The statuses of a whole balancer, by id. */
export type Statuses = Record<string, OperatingStatus>;

/**
 * What is told of a balancer and all below it, from what was measured: a pool without a working member is in error and so is its
 * balancer, one of whose members fails is degraded. What is switched off is offline.
 * @param health undefined where nothing runs: then all but monitors is offline
 */
export function operatingStatuses(
  balancer: LoadBalancer,
  family: Family,
  health: BalancerHealth | undefined,
): Statuses {
  const statuses: Statuses = {};
  const isUp = health !== undefined && balancer.admin_state_up;
  const monitored = new Set(family.healthMonitors.filter((one) => one.admin_state_up).map(({ pool_id }) => pool_id));
  for (const member of family.members) {
    const unmeasured = monitored.has(member.pool_id) ? "OFFLINE" : "NO_MONITOR";
    statuses[member.id] = member.admin_state_up ? (health?.members[member.id] ?? unmeasured) : "OFFLINE";
  }
  for (const pool of family.pools) {
    const members = family.members.filter(({ pool_id, admin_state_up }) => pool_id === pool.id && admin_state_up);
    const failed = members.filter(({ id }) => statuses[id] === "ERROR").length;
    const worst = failed === 0 ? "ONLINE" : failed === members.length ? "ERROR" : "DEGRADED";
    statuses[pool.id] = isUp && pool.admin_state_up ? worst : "OFFLINE";
  }
  for (const { id, admin_state_up } of family.listeners) statuses[id] = isUp && admin_state_up ? "ONLINE" : "OFFLINE";
  // nothing of them is measured
  for (const { id, admin_state_up } of family.healthMonitors) statuses[id] = admin_state_up ? "ONLINE" : "OFFLINE";
  const ofPools = family.pools.map(({ id }) => statuses[id]);
  const worst = ofPools.includes("ERROR") ? "ERROR" : ofPools.includes("DEGRADED") ? "DEGRADED" : "ONLINE";
  statuses[balancer.id] = isUp ? worst : "OFFLINE";
  return statuses;
}
