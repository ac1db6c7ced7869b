import { ApiError } from "../http/api-error.ts";
import type { Scope } from "../identity/scope.ts";
import { cidrsWithout } from "./cidr-sets.ts";
import { neutron } from "./errors.ts";
import { bitsOf, cidrText, type IpVersion, parseCidr, sizeOf } from "./ip.ts";
import type { NetworkTables, SubnetPool } from "./records.ts";
import { isVisible, visibleRecord } from "./resource.ts";
import { defaultPoolOf, poolVersion, subnetPools } from "./subnet-pools.ts";

/** The pool of `use_default_subnetpool`. @throws ApiError 400 */
export function defaultPool(tables: NetworkTables, scope: Scope, version: IpVersion): SubnetPool {
  const pool = findDefaultPool(tables, scope, version);
  if (pool === undefined) throw neutron.bad("subnets", `No default subnetpool found for IPv${version}`);
  return pool;
}

/** A family's default pool, where there is one that the scope sees. */
export function findDefaultPool(tables: NetworkTables, scope: Scope, version: IpVersion): SubnetPool | undefined {
  const pool = defaultPoolOf(tables, version);
  return pool !== undefined && isVisible(subnetPools, tables, scope, pool) ? pool : undefined;
}

/** The pool that a scope names; undefined where it names none. @throws ApiError 404 */
export function demandPool(tables: NetworkTables, scope: Scope, id: string | null): SubnetPool | undefined {
  if (id === null) return undefined;
  return visibleRecord(subnetPools, tables, scope, id);
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
  const version = poolVersion(pool);
  const wantedLength = length ?? pool.defaultPrefixLength;
  const named = cidr ?? (gatewayIp ? `${gatewayIp}/${wantedLength}` : undefined);
  const asked = named === undefined ? undefined : parseCidr(named);
  const prefix = asked?.prefix ?? wantedLength;
  if (prefix > bitsOf(version)) throw neutron.addressFormat(`${version === 4 ? "0.0.0.0" : "::"}/${prefix}`);
  if (prefix > pool.maxPrefixLength) {
    const words = `Unable to allocate subnet with prefix length ${prefix}, maximum allowed prefix is ${pool.maxPrefixLength}.`;
    throw new ApiError(400, words, "MaxPrefixSubnetAllocationError");
  }
  if (prefix < pool.minPrefixLength) {
    const words = `Unable to allocate subnet with prefix length ${prefix}, minimum allowed prefix is ${pool.minPrefixLength}.`;
    throw new ApiError(400, words, "MinPrefixSubnetAllocationError");
  }
  demandPoolQuota(tables, pool, prefix);
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
  return cidrText({ ...block, prefix });
}

const allocationFailed = (reason: string) =>
  new ApiError(500, `Failed to allocate subnet: ${reason}.`, "SubnetAllocationError");

/** Whatever project asks: Neutron counts what the pool's own has of it, in addresses or, of IPv6, in `/64`. */
function demandPoolQuota(tables: NetworkTables, pool: SubnetPool, prefix: number): void {
  if (!pool.defaultQuota) return;
  const version = poolVersion(pool);
  const sizeAt = (length: number) => Number(sizeOf(version, length)) / Number(sizeOf(version, version === 4 ? 32 : 64));
  const own = tables.subnets.list((subnet) => subnet.poolId === pool.id && subnet.projectId === pool.projectId);
  const used = own.reduce((sum, { cidr }) => sum + sizeAt(parseCidr(cidr)?.prefix ?? bitsOf(version)), 0);
  if (used + sizeAt(prefix) > pool.defaultQuota) {
    throw new ApiError(409, "Per-tenant subnet pool prefix quota exceeded.", "SubnetPoolQuotaExceeded");
  }
}
