import { ApiError } from "../http/api-error.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { neutron } from "./errors.ts";
import { type Ipv4Range, normalizeCidr, numberToIpv4, overlaps, parseCidr } from "./ipv4.ts";
import type { NetworkTables, SubnetPool } from "./records.ts";
import { isGranted } from "./sharing.ts";

/** The pool of `use_default_subnetpool`. @throws ApiError 400 */
export function defaultPool(tables: NetworkTables): SubnetPool {
  const pool = tables.subnetPools.find(({ isDefault }) => isDefault);
  if (pool === undefined) throw neutron.bad("subnets", "No default subnetpool found for IPv4");
  return pool;
}

/** The pool that a scope names; undefined where it names none. @throws ApiError 404 */
export function demandPool(tables: NetworkTables, scope: Scope, id: string | null): SubnetPool | undefined {
  if (id === null) return undefined;
  const pool = tables.subnetPools.get(id);
  const usable =
    pool !== undefined &&
    (owns(scope, pool.projectId) || pool.shared || isGranted(tables, "subnetpool", pool.id, scope));
  if (!usable) throw new ApiError(404, `Subnet pool ${id} could not be found.`, "SubnetPoolNotFound");
  return pool;
}

/**
 * Cuts a subnet's range from a pool: the one that is asked for, else the lowest free one of the length.
 * @throws ApiError 400, 409, 500 in Neutron's words
 */
export function allocateRange(
  tables: NetworkTables,
  pool: SubnetPool,
  projectId: string,
  wanted: { cidr?: string | undefined; length?: number | undefined },
): string {
  const asked = wanted.cidr === undefined ? undefined : parseCidr(wanted.cidr);
  const length = asked?.prefix ?? wanted.length ?? pool.defaultPrefixLength;
  if (length < pool.minPrefixLength) {
    const words = `Unable to allocate subnet with prefix length ${length}, minimum allowed prefix is ${pool.minPrefixLength}.`;
    throw new ApiError(400, words, "MinPrefixSubnetAllocationError");
  }
  if (length > pool.maxPrefixLength) {
    const words = `Unable to allocate subnet with prefix length ${length}, maximum allowed prefix is ${pool.maxPrefixLength}.`;
    throw new ApiError(400, words, "MaxPrefixSubnetAllocationError");
  }
  demandPoolQuota(tables, pool, projectId, 2 ** (32 - length));
  const taken = rangesOf(tables.subnets.list((subnet) => subnet.poolId === pool.id).map(({ cidr }) => cidr));
  const prefixes = rangesOf(pool.prefixes);
  if (asked !== undefined) {
    const inside = prefixes.some((prefix) => prefix.first <= asked.first && asked.last <= prefix.last);
    if (inside && !taken.some((other) => overlaps(asked, other))) return normalizeCidr(wanted.cidr ?? "") ?? "";
    const words = "Failed to allocate subnet: Cannot allocate requested subnet from the available set of prefixes.";
    throw new ApiError(500, words, "SubnetAllocationError");
  }
  for (const prefix of prefixes) {
    const size = 2 ** (32 - length);
    for (let first = prefix.first; first + size - 1 <= prefix.last; first += size) {
      const other = taken.find((range) => overlaps({ first, last: first + size - 1, prefix: length }, range));
      if (other === undefined) return `${numberToIpv4(first)}/${length}`;
      if (other.last > first + size - 1) first = Math.floor(other.last / size) * size; // skip what a larger one holds
    }
  }
  const words = `Failed to allocate subnet: Insufficient prefix space to allocate subnet size /${length}.`;
  throw new ApiError(500, words, "SubnetAllocationError");
}

const rangesOf = (cidrs: string[]): Ipv4Range[] => cidrs.flatMap((cidr) => parseCidr(cidr) ?? []);

function demandPoolQuota(tables: NetworkTables, pool: SubnetPool, projectId: string, addresses: number): void {
  if (pool.defaultQuota === null) return;
  const own = tables.subnets.list((subnet) => subnet.poolId === pool.id && subnet.projectId === projectId);
  const used = rangesOf(own.map(({ cidr }) => cidr)).reduce((sum, { first, last }) => sum + last - first + 1, 0);
  if (used + addresses > pool.defaultQuota) {
    throw new ApiError(409, "Per-tenant subnet pool prefix quota exceeded.", "SubnetPoolQuotaExceeded");
  }
}
