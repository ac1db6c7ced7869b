import { ApiError } from "../http/api-error.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { cidrsWithout, cidrText } from "./cidr-sets.ts";
import { neutron } from "./errors.ts";
import { parseCidr } from "./ipv4.ts";
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
  if (!usable) throw neutron.subnetPoolNotFound(id);
  return pool;
}

/** What is asked of a pool: a range, or the one of a length that a gateway lies in, or any of a length. */
interface Wanted {
  cidr?: string | undefined;
  length?: number | undefined;
  gatewayIp?: string | null | undefined;
}

/**
 * Cuts a subnet's range from a pool: the one that is asked for, else the first of the smallest free block that has room, as Neutron does.
 * @throws ApiError 400, 409, 500 in Neutron's words
 */
export function allocateRange(tables: NetworkTables, pool: SubnetPool, { cidr, length, gatewayIp }: Wanted): string {
  const wantedLength = length ?? pool.defaultPrefixLength;
  const named = cidr ?? (gatewayIp ? `${gatewayIp}/${wantedLength}` : undefined);
  const asked = named === undefined ? undefined : parseCidr(named);
  const prefix = asked?.prefix ?? wantedLength;
  if (prefix > 32) throw neutron.addressFormat(`0.0.0.0/${prefix}`);
  if (prefix > pool.maxPrefixLength) {
    const words = `Unable to allocate subnet with prefix length ${prefix}, maximum allowed prefix is ${pool.maxPrefixLength}.`;
    throw new ApiError(400, words, "MaxPrefixSubnetAllocationError");
  }
  if (prefix < pool.minPrefixLength) {
    const words = `Unable to allocate subnet with prefix length ${prefix}, minimum allowed prefix is ${pool.minPrefixLength}.`;
    throw new ApiError(400, words, "MinPrefixSubnetAllocationError");
  }
  demandPoolQuota(tables, pool, 2 ** (32 - prefix));
  const own = tables.subnets.list((subnet) => subnet.poolId === pool.id);
  const free = cidrsWithout(
    pool.prefixes,
    own.map((subnet) => subnet.cidr),
  );
  if (asked !== undefined) {
    if (free.some((block) => block.first <= asked.first && asked.last <= block.last)) return cidrText(asked);
    throw allocationFailed("Cannot allocate requested subnet from the available set of prefixes");
  }
  const block = free.toSorted((a, b) => b.prefix - a.prefix).find((one) => one.prefix <= prefix);
  if (block === undefined) throw allocationFailed(`Insufficient prefix space to allocate subnet size /${prefix}`);
  return cidrText({ first: block.first, prefix });
}

const allocationFailed = (reason: string) =>
  new ApiError(500, `Failed to allocate subnet: ${reason}.`, "SubnetAllocationError");

/** Whatever project asks: Neutron counts what the pool's own has of it. */
function demandPoolQuota(tables: NetworkTables, pool: SubnetPool, addresses: number): void {
  if (!pool.defaultQuota) return;
  const own = tables.subnets.list((subnet) => subnet.poolId === pool.id && subnet.projectId === pool.projectId);
  const sizes = own.flatMap(({ cidr }) => parseCidr(cidr) ?? []).map(({ first, last }) => last - first + 1);
  const used = sizes.reduce((sum, size) => sum + size, 0);
  if (used + addresses > pool.defaultQuota) {
    throw new ApiError(409, "Per-tenant subnet pool prefix quota exceeded.", "SubnetPoolQuotaExceeded");
  }
}
