import { ApiError } from "../http/api-error.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { attribute, ownerAttributes } from "./attributes.ts";
import { neutron } from "./errors.ts";
import { removeSharing, setSharing } from "./rbac-sharing.ts";
import type { AddressScope, NetworkTables } from "./records.ts";
import { type NetworkResource, newRecord, revised } from "./resource.ts";
import { isGranted } from "./sharing.ts";
import { oneOf, text, toBoolean, toInteger } from "./validators.ts";

const attributes = {
  ...ownerAttributes,
  name: attribute<string>("cufs", { validate: text(255) }),
  shared: attribute<boolean>("cufs", { convert: toBoolean, privilege: "admin", default: false }),
  ip_version: attribute<4 | 6>("crfs", { convert: toInteger, validate: oneOf(4, 6) }),
};

/** `/v2.0/address-scopes`: in one of them no two subnet pools hold the same address. */
export const addressScopes: NetworkResource<AddressScope, typeof attributes> = {
  singular: "address_scope",
  path: "address-scopes",
  untagged: true,
  attributes,
  table: (tables) => tables.addressScopes,
  notFound: neutron.addressScopeNotFound,
  isPublic: isSeen,

  view: (_tables, one) => ({
    ...{ id: one.id, project_id: one.projectId, name: one.name, shared: one.shared, ip_version: one.ipVersion },
    tenant_id: one.projectId,
  }),

  create(tables, scope, body) {
    const made = { ...newRecord(scope, body), shared: body.shared ?? false, ipVersion: body.ip_version ?? 4 };
    setSharing(tables, "address_scope", made, { access_as_shared: made.shared });
    return made;
  },

  update(tables, _scope, one, body) {
    if (one.shared && body.shared === false) {
      const words = `Unable to update address scope ${one.id} : Shared address scope can't be unshared.`;
      throw new ApiError(400, words, "AddressScopeUpdateError");
    }
    const changed = revised(one, { name: body.name ?? one.name, shared: body.shared ?? one.shared });
    setSharing(tables, "address_scope", changed, { access_as_shared: changed.shared });
    return changed;
  },

  remove(tables, one) {
    if (tables.subnetPools.find(({ addressScopeId }) => addressScopeId === one.id) !== undefined) {
      const words = `Unable to complete operation on address scope ${one.id}. There are one or more subnet pools in use on the address scope.`;
      throw new ApiError(409, words, "AddressScopeInUse");
    }
    removeSharing(tables, "address_scope", one.id);
    tables.addressScopes.delete(one.id);
  },
};

/** Whether pools of the scope's project may be in it. */
export function isSeen(tables: NetworkTables, one: AddressScope, scope: Scope): boolean {
  return owns(scope, one.projectId) || one.shared || isGranted(tables, "address_scope", one.id, scope);
}
