import { ApiError } from "../http/api-error.ts";
import type { Scope } from "../identity/scope.ts";
import { isSeen } from "./address-scopes.ts";
import { attribute, standardAttributes, type Values } from "./attributes.ts";
import { cidrsWithout, compactCidrs, isWithinCidrs, meet } from "./cidr-sets.ts";
import { neutron } from "./errors.ts";
import { bitsOf, cidrText, type IpVersion, versionOf } from "./ip.ts";
import { removeSharing, setSharing } from "./rbac-sharing.ts";
import type { AddressScope, NetworkTables, SubnetPool } from "./records.ts";
import { commonView, type NetworkResource, newRecord, revised } from "./resource.ts";
import { isGranted } from "./sharing.ts";
import {
  isCidr,
  isObject,
  listOf,
  nonNegative,
  notBlank,
  nullOr,
  subnet,
  toBoolean,
  toInteger,
  uuid,
} from "./validators.ts";

const length = () => attribute<number>("cufs", { convert: toInteger, validate: nonNegative });
const adminFlag = { convert: toBoolean, privilege: "admin", default: false } as const;

const attributes = {
  ...standardAttributes,
  name: attribute<string>("crufs", { validate: notBlank() }),
  prefixes: attribute<string[]>("cru", { validate: listOf(subnet) }),
  default_quota: attribute<number>("cufs", { convert: toInteger, validate: nonNegative }),
  ip_version: attribute<number>("fs", { convertFilter: toInteger }),
  default_prefixlen: length(),
  min_prefixlen: length(),
  max_prefixlen: length(),
  is_default: attribute<boolean>("cufs", adminFlag),
  shared: attribute<boolean>("cfs", adminFlag),
  address_scope_id: attribute<string | null>("cufs", { validate: nullOr(uuid) }),
};

type Body = Values<typeof attributes>;
type Bounds = Pick<SubnetPool, "minPrefixLength" | "maxPrefixLength" | "defaultPrefixLength">;

/** `/v2.0/subnetpools`: ranges that subnets are cut from, all of one family. */
export const subnetPools: NetworkResource<SubnetPool, typeof attributes> = {
  singular: "subnetpool",
  path: "subnetpools",
  quota: -1,
  attributes,
  table: (tables) => tables.subnetPools,
  notFound: neutron.subnetPoolNotFound,
  isPublic: (tables, pool, scope) => pool.shared || isGranted(tables, "subnetpool", pool.id, scope),

  view: (_tables, pool) => ({
    ...plainView(pool),
    default_prefixlen: String(pool.defaultPrefixLength),
    min_prefixlen: String(pool.minPrefixLength),
    max_prefixlen: String(pool.maxPrefixLength),
  }),

  // a change is answered with numbers, and without what was never set
  changedView: (_tables, pool) => ({
    ...plainView(pool),
    default_prefixlen: pool.defaultPrefixLength,
    min_prefixlen: pool.minPrefixLength,
    max_prefixlen: pool.maxPrefixLength,
    default_quota: pool.defaultQuota ?? undefined,
    address_scope_id: pool.addressScopeId ?? undefined,
  }),

  create(tables, scope, body) {
    const prefixes = demandPrefixes(body.prefixes ?? []);
    const pool: SubnetPool = {
      ...newRecord(scope, body),
      prefixes,
      ...boundsOf(body, {}, poolVersion({ prefixes })),
      defaultQuota: body.default_quota ?? null,
      shared: body.shared ?? false,
      isDefault: body.is_default ?? false,
      addressScopeId: body.address_scope_id ?? null,
    };
    if (pool.isDefault) demandNoDefault(tables, poolVersion(pool));
    demandScope(tables, scope, pool);
    setSharing(tables, "subnetpool", pool, { access_as_shared: pool.shared });
    return pool;
  },

  update(tables, scope, pool, body) {
    if (body.prefixes !== undefined && !isWithinCidrs(pool.prefixes, body.prefixes)) {
      throw illegalPrefixes("Existing prefixes must be a subset of the new prefixes");
    }
    const version = poolVersion(pool);
    if (body.prefixes !== undefined && poolVersion({ prefixes: demandPrefixes(body.prefixes) }) !== version) {
      throw mixedVersions();
    }
    if (body.is_default === true && !pool.isDefault) demandNoDefault(tables, version);
    const changed = revised(pool, {
      name: body.name ?? pool.name,
      description: body.description ?? pool.description,
      prefixes: body.prefixes === undefined ? pool.prefixes : demandPrefixes(body.prefixes),
      ...boundsOf(body, pool, version),
      defaultQuota: body.default_quota ?? pool.defaultQuota,
      isDefault: body.is_default ?? pool.isDefault,
      addressScopeId: body.address_scope_id === undefined ? pool.addressScopeId : body.address_scope_id,
    });
    demandScope(tables, scope, changed);
    return changed;
  },

  remove(tables, pool) {
    if (tables.subnets.find(({ poolId }) => poolId === pool.id) !== undefined) {
      const words = "Unable to delete subnet pool: Subnet pool has existing allocations.";
      throw new ApiError(400, words, "SubnetPoolDeleteError");
    }
    removeSharing(tables, "subnetpool", pool.id);
    tables.subnetPools.delete(pool.id);
  },
};

/** The family that a pool's ranges are of. */
export const poolVersion = ({ prefixes }: Pick<SubnetPool, "prefixes">): IpVersion => versionOf(prefixes[0] ?? "");

/** Each family has one default pool, or none. */
export function defaultPoolOf(tables: NetworkTables, version: IpVersion): SubnetPool | undefined {
  return tables.subnetPools.find((pool) => pool.isDefault && poolVersion(pool) === version);
}

const plainView = (pool: SubnetPool) => ({
  id: pool.id,
  name: pool.name,
  is_default: pool.isDefault,
  shared: pool.shared,
  prefixes: pool.prefixes,
  ip_version: poolVersion(pool),
  default_quota: pool.defaultQuota,
  address_scope_id: pool.addressScopeId,
  ...commonView(pool),
});

/** `PUT /v2.0/subnetpools/{id}/add_prefixes` */
export function addPrefixes(tables: NetworkTables, scope: Scope, pool: SubnetPool, body: unknown): SubnetPool {
  const prefixes = compactCidrs([...pool.prefixes, ...prefixesIn(body, pool)]);
  const changed = revised(pool, { prefixes });
  demandScope(tables, scope, changed);
  return changed;
}

/** `PUT /v2.0/subnetpools/{id}/remove_prefixes` */
export function removePrefixes(tables: NetworkTables, _scope: Scope, pool: SubnetPool, body: unknown): SubnetPool {
  const gone = prefixesIn(body, pool);
  const taken = tables.subnets.list(({ poolId }) => poolId === pool.id).map(({ cidr }) => cidr);
  if (meet(taken, gone)) throw illegalPrefixes("One or more the prefixes to be removed is in use by a subnet.");
  return revised(pool, { prefixes: cidrsWithout(pool.prefixes, gone).map(cidrText) });
}

/** The list that a request to add or remove prefixes has. @throws ApiError 400 */
function prefixesIn(body: unknown, pool: SubnetPool): string[] {
  const given = isObject(body) ? body.prefixes : undefined;
  if (!Array.isArray(given) || given.length === 0) throw neutron.badRequest("Request body contains invalid data");
  return given.map((prefix) => {
    if (!isCidr(prefix)) throw neutron.addressFormat(prefix);
    if (versionOf(prefix) !== poolVersion(pool)) throw mixedVersions();
    return prefix;
  });
}

function demandPrefixes(prefixes: string[]): string[] {
  if (prefixes.length === 0) {
    throw new ApiError(400, "Empty subnet pool prefix list.", "EmptySubnetPoolPrefixList");
  }
  if (new Set(prefixes.map(versionOf)).size > 1) throw mixedVersions();
  return compactCidrs(prefixes);
}

const mixedVersions = () =>
  new ApiError(400, "Cannot mix IPv4 and IPv6 prefixes in a subnet pool.", "PrefixVersionMismatch");

const illegalPrefixes = (reason: string) =>
  new ApiError(400, `Illegal update to prefixes: ${reason}.`, "IllegalSubnetPoolPrefixUpdate");

/** Neutron's usual shortest prefix is 8, in IPv6 64, and without a word subnets get the shortest. */
function boundsOf(body: Body, old: Partial<Bounds>, version: IpVersion): Bounds {
  const bits = bitsOf(version);
  const min = body.min_prefixlen ?? old.minPrefixLength ?? (version === 4 ? 8 : 64);
  const max = body.max_prefixlen ?? old.maxPrefixLength ?? bits;
  const usual = body.default_prefixlen ?? old.defaultPrefixLength ?? min;
  const illegal = (kind: string, value: number, base: string, limit: number) =>
    new ApiError(400, `Illegal prefix bounds: ${kind}=${value}, ${base}=${limit}.`, "IllegalSubnetPoolPrefixBounds");
  if (min > max) throw illegal("min_prefixlen", min, "max_prefixlen", max);
  if (max > bits) throw illegal("max_prefixlen", max, "ip_version_max", bits);
  if (usual < min) throw illegal("default_prefixlen", usual, "min_prefixlen", min);
  if (usual > max) throw illegal("default_prefixlen", usual, "max_prefixlen", max);
  return { minPrefixLength: min, maxPrefixLength: max, defaultPrefixLength: usual };
}

function demandNoDefault(tables: NetworkTables, version: IpVersion): void {
  if (defaultPoolOf(tables, version) === undefined) return;
  throw neutron.invalidInput(
    "A default subnetpool for this IP family has already been set. Only one default may exist per IP family",
  );
}

/** The scope is one that the pool's may be in, and no other pool of it has the same addresses. */
function demandScope(tables: NetworkTables, scope: Scope, pool: SubnetPool): void {
  const id = pool.addressScopeId;
  if (id === null) return;
  const found = tables.addressScopes.get(id);
  if (found === undefined) throw neutron.addressScopeNotFound(id);
  if (!isSeen(tables, found, scope)) {
    const words = `Illegal subnetpool association: subnetpool ${pool.id} cannot be associated with address scope ${id}.`;
    throw new ApiError(400, words, "IllegalSubnetPoolAssociationToAddressScope");
  }
  demandVersion(found, pool);
  const others = tables.subnetPools.list((other) => other.addressScopeId === id && other.id !== pool.id);
  if (others.some(({ prefixes }) => meet(prefixes, pool.prefixes))) {
    const words = "Failed to associate address scope: subnetpools within an address scope must have unique prefixes.";
    throw new ApiError(409, words, "AddressScopePrefixConflict");
  }
}

function demandVersion({ id, ipVersion }: AddressScope, pool: SubnetPool): void {
  if (ipVersion === poolVersion(pool)) return;
  const words = `Illegal subnetpool association: subnetpool ${pool.id} cannot associate with address scope ${id} because subnetpool ip_version is not ${ipVersion}.`;
  throw new ApiError(400, words, "IllegalSubnetPoolIpVersionAssociationToAddressScope");
}
