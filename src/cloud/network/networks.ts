import { ApiError } from "../http/api-error.ts";
import type { Scope } from "../identity/scope.ts";
import { attribute, standardAttributes, type Values } from "./attributes.ts";
import { neutron } from "./errors.ts";
import { versionOf } from "./ip.ts";
import { removePort } from "./ports.ts";
import { largestMtu, segmentFor } from "./provider-segments.ts";
import { demandNoGateways } from "./rbac-external.ts";
import { removeSharing, setSharing } from "./rbac-sharing.ts";
import type { Network, NetworkTables } from "./records.ts";
import { commonView, type NetworkResource, newRecord, revised } from "./resource.ts";
import { isExternalFor, isSharedNetwork, visibleNetwork } from "./sharing.ts";
import { scopeOf } from "./subnet-checks.ts";
import { removeSubnet } from "./subnets.ts";
import { listOf, nonNegative, text, toBoolean, toInteger } from "./validators.ts";
import { demandZones, zone } from "./zones.ts";

const adminFlag = { convert: toBoolean, privilege: "admin", default: false } as const;

const attributes = {
  ...standardAttributes,
  name: attribute<string>("cufs", { validate: text(255) }),
  subnets: attribute<string[]>(""),
  admin_state_up: attribute<boolean>("cufs", { convert: toBoolean }),
  status: attribute<string>("fs"),
  shared: attribute<boolean>("cuf", adminFlag),
  ipv4_address_scope: attribute<string>(""),
  ipv6_address_scope: attribute<string>(""),
  is_default: attribute<boolean>("cuf", adminFlag),
  "router:external": attribute<boolean>("cuf", adminFlag),
  segments: attribute<unknown[]>("cu", { privilege: "admin" }),
  availability_zones: attribute<string[]>(""),
  availability_zone_hints: attribute<string[]>("cs", { validate: listOf(text(255)) }),
  mtu: attribute<number>("cufs", { convert: toInteger, validate: nonNegative }),
  port_security_enabled: attribute<boolean>("cu", { convert: toBoolean, privilege: "anyone", default: true }),
  "provider:network_type": attribute<string>("cuf", { validate: text(32), privilege: "admin" }),
  "provider:physical_network": attribute<string>("cuf", { validate: text(64), privilege: "admin" }),
  "provider:segmentation_id": attribute<number>("cuf", { convert: toInteger, privilege: "admin" }),
};

/** `/v2.0/networks` */
export const networks: NetworkResource<Network, typeof attributes> = {
  singular: "network",
  path: "networks",
  quota: 100,
  attributes,
  table: (tables) => tables.networks,
  notFound: neutron.networkNotFound,
  isPublic: (tables, network, scope) =>
    isSharedNetwork(tables, network, scope) || isExternalFor(tables, network, scope),

  view: (tables, network) => {
    const subnets = tables.subnets.list((subnet) => subnet.networkId === network.id);
    return {
      id: network.id,
      name: network.name,
      admin_state_up: network.adminStateUp,
      mtu: network.mtu,
      status: "ACTIVE",
      subnets: subnets.map((subnet) => subnet.id),
      shared: network.shared,
      availability_zone_hints: network.zoneHints ?? [],
      availability_zones: subnets.length === 0 ? [] : [zone],
      ipv4_address_scope: scopeOf(
        tables,
        subnets.filter(({ cidr }) => versionOf(cidr) === 4),
      ),
      ipv6_address_scope: scopeOf(
        tables,
        subnets.filter(({ cidr }) => versionOf(cidr) === 6),
      ),
      "router:external": network.external,
      ...(network.external ? { is_default: network.isDefault ?? false } : {}),
      port_security_enabled: network.portSecurityEnabled,
      ...commonView(network),
    };
  },

  // whose it was given by a policy sees it shared
  scopedView: (tables, network, scope) => ({ shared: isSharedNetwork(tables, network, scope) }),

  adminView: (_tables, { provider }) => ({
    "provider:network_type": provider?.type ?? "local",
    "provider:physical_network": provider?.physicalNetwork ?? null,
    "provider:segmentation_id": provider?.segmentationId ?? null,
  }),

  createdView: ({ isDefault }) => ({ is_default: isDefault ?? false }),

  create(tables, scope, body) {
    if (body.segments !== undefined) throw neutron.invalidInput("multiple provider segments are not supported");
    const provider = segmentFor(tables, {
      type: body["provider:network_type"],
      physicalNetwork: body["provider:physical_network"],
      segmentationId: body["provider:segmentation_id"],
    });
    const network: Network = {
      ...newRecord(scope, body),
      revision: 1,
      adminStateUp: body.admin_state_up ?? true,
      shared: body.shared ?? false,
      external: body["router:external"] ?? false,
      isDefault: body.is_default ?? false,
      mtu: mtuOf(body.mtu, largestMtu(provider)),
      portSecurityEnabled: body.port_security_enabled ?? true,
      provider,
      zoneHints: demandZones(body.availability_zone_hints),
    };
    if (body.is_default) demandOnlyDefault(tables, network);
    setSharing(tables, "network", network, { access_as_shared: network.shared, access_as_external: network.external });
    return network;
  },

  update(tables, _scope, network, body) {
    demandUnchangedProvider(network, body);
    demandUnshared(tables, network, body);
    const external = body["router:external"] ?? network.external;
    if (network.external && !external) demandNoGateways(tables, network);
    const changed = revised(network, {
      name: body.name ?? network.name,
      description: body.description ?? network.description,
      adminStateUp: body.admin_state_up ?? network.adminStateUp,
      shared: body.shared ?? network.shared,
      external,
      // what is not external keeps no word about it
      isDefault: external && (body.is_default ?? (network.external && (network.isDefault ?? false))),
      mtu: body.mtu === undefined ? network.mtu : mtuOf(body.mtu, largestMtu(network.provider ?? noTunnel)),
      portSecurityEnabled: body.port_security_enabled ?? network.portSecurityEnabled,
    });
    if (body.is_default) demandOnlyDefault(tables, changed);
    setSharing(tables, "network", changed, {
      access_as_shared: changed.shared,
      ...(external === network.external ? {} : { access_as_external: external }),
    });
    return changed;
  },

  remove(tables, network) {
    const ports = tables.ports.list((port) => port.networkId === network.id);
    // what Neutron plugs for itself goes with the network
    const inUse = ports.filter(({ device, deviceOwner: owner }) => device !== undefined || owner !== "network:dhcp");
    if (inUse.length > 0) {
      throw neutron.networkInUse(
        network.id,
        inUse.map((port) => port.id),
      );
    }
    for (const port of ports) removePort(tables, port);
    for (const subnet of tables.subnets.list((item) => item.networkId === network.id)) removeSubnet(tables, subnet);
    removeSharing(tables, "network", network.id);
    tables.networks.delete(network.id);
  },
};

const noTunnel = { type: "local", physicalNetwork: null, segmentationId: null } as const;

/** Bytes. Nothing, and zero, mean: as large as it can be. */
function mtuOf(wanted: number | undefined, largest: number): number {
  if (wanted === undefined || wanted === 0) return largest;
  if (wanted > largest) throw neutron.invalidInput(`Requested MTU is too big, maximum is ${largest}`);
  return wanted;
}

function demandUnchangedProvider(network: Network, body: Values<typeof attributes>): void {
  const given = Object.keys(body).some((name) => name.startsWith("provider:"));
  if (!given) return;
  const same =
    (body["provider:network_type"] ?? network.provider?.type) === network.provider?.type &&
    (body["provider:segmentation_id"] ?? network.provider?.segmentationId) === network.provider?.segmentationId;
  if (!same) throw neutron.invalidInput("Plugin does not support updating provider attributes");
}

/** A network that others use cannot be taken away from them. */
function demandUnshared(tables: NetworkTables, network: Network, body: { shared?: boolean | undefined }): void {
  if (body.shared !== false || !network.shared) return;
  const foreign = tables.ports.find(
    (port) => port.networkId === network.id && port.projectId !== network.projectId && port.projectId !== "",
  );
  if (foreign !== undefined) throw neutron.sharedInUse(network.name);
}

/** @throws ApiError 409 */
function demandOnlyDefault(tables: NetworkTables, { id }: Network): void {
  const other = tables.networks.find((one) => one.external && one.isDefault === true && one.id !== id);
  if (other === undefined) return;
  const words = `A default external network already exists: ${other.id}.`;
  throw new ApiError(409, words, "DefaultExternalNetworkExists");
}

/** A network that a scope names to have a floating IP of it. @throws ApiError 404, 400 */
export function externalNetwork(tables: NetworkTables, scope: Scope, id: string): Network {
  const network = visibleNetwork(tables, scope, id);
  if (!network.external) throw neutron.bad("floatingip", `Network ${id} is not a valid external network`);
  return network;
}
