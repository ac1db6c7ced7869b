import { ApiError } from "../http/api-error.ts";
import { pythonRepr } from "../http/python-repr.ts";
import { attribute, ownerAttributes } from "./attributes.ts";
import { neutron } from "./errors.ts";
import type { View } from "./filters.ts";
import { normalizeCidr } from "./ip.ts";
import { removeSharing } from "./rbac-sharing.ts";
import type { AddressGroup, NetworkTables } from "./records.ts";
import { type NetworkResource, newRecord, revised } from "./resource.ts";
import { isGranted, isSharedWithAll } from "./sharing.ts";
import { isCidr, isObject, listOf, nullToList, subnet, text } from "./validators.ts";

const attributes = {
  ...ownerAttributes,
  name: attribute<string>("cufs", { validate: text(255) }),
  description: attribute<string>("cufs", { validate: text(1024) }),
  addresses: attribute<string[]>("c", { convert: nullToList, validate: listOf(subnet) }),
  shared: attribute<boolean>(""),
};

/** `/v2.0/address-groups`: ranges that rules of security groups name together. */
export const addressGroups: NetworkResource<AddressGroup, typeof attributes> = {
  singular: "address_group",
  path: "address-groups",
  untagged: true,
  attributes,
  table: (tables) => tables.addressGroups,
  notFound: neutron.addressGroupNotFound,
  isPublic: (tables, group, scope) => isGranted(tables, "address_group", group.id, scope),

  view: (_tables, group) => ({
    ...{ id: group.id, name: group.name, project_id: group.projectId, addresses: group.addresses },
    ...{ description: group.description, tenant_id: group.projectId },
  }),

  create: (_tables, scope, body) => ({
    ...newRecord(scope, body),
    addresses: (body.addresses ?? []).map(normalAddress),
  }),

  update: (_tables, _scope, group, body) =>
    revised(group, { name: body.name ?? group.name, description: body.description ?? group.description }),

  remove(tables, group) {
    if (tables.securityGroupRules.find((rule) => rule.remoteAddressGroupId === group.id) !== undefined) {
      const words = `Address group ${group.id} is in use on one or more security group rules.`;
      throw new ApiError(409, words, "AddressGroupInUse");
    }
    removeSharing(tables, "address_group", group.id);
    tables.addressGroups.delete(group.id);
  },
};

/** What is answered to a change of its addresses: more than is shown otherwise. */
export function addressesView(tables: NetworkTables, group: AddressGroup): View {
  return {
    ...addressGroups.view(tables, group),
    shared: isSharedWithAll(tables, "address_group", group.id),
    ...{ created_at: group.createdAt, updated_at: group.updatedAt, revision_number: group.revision },
  };
}

/** `PUT /v2.0/address-groups/{id}/add_addresses` @throws ApiError 400 */
export function addAddresses(group: AddressGroup, body: unknown): AddressGroup {
  const wanted = addressesIn(body);
  const there = new Set(group.addresses);
  const known = wanted.filter((address) => there.has(address));
  if (known.length > 0) {
    const words = `Addresses ${pythonRepr(known)} already exist in the address group ${group.id}.`;
    throw new ApiError(400, words, "AddressesAlreadyExist");
  }
  return wanted.length === 0 ? group : revised(group, { addresses: [...group.addresses, ...wanted] });
}

/** `PUT /v2.0/address-groups/{id}/remove_addresses` @throws ApiError 400, 404 */
export function removeAddresses(group: AddressGroup, body: unknown): AddressGroup {
  const gone = addressesIn(body);
  const there = new Set(group.addresses);
  const unknown = gone.filter((address) => !there.has(address));
  if (unknown.length > 0) {
    const words = `Addresses ${pythonRepr(unknown)} not found in the address group ${group.id}.`;
    throw new ApiError(404, words, "AddressesNotFound");
  }
  for (const address of gone) there.delete(address);
  const addresses = [...there];
  return gone.length === 0 ? group : revised(group, { addresses });
}

/** The list of a request, each address once and in its normal form. */
function addressesIn(body: unknown): string[] {
  const given = isObject(body) ? body.addresses : undefined;
  if (!Array.isArray(given)) throw neutron.badRequest("Request body contains invalid data");
  return [...new Set(given.map((address) => toAddress(address)))];
}

function toAddress(value: unknown): string {
  const whole =
    typeof value === "string" && !value.includes("/") ? `${value}/${value.includes(":") ? 128 : 32}` : value;
  if (!isCidr(whole)) throw neutron.addressFormat(value);
  return normalAddress(whole as string);
}

/** Without host bits. */
const normalAddress = (cidr: string) => normalizeCidr(cidr) ?? cidr;
