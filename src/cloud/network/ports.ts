import { hostname } from "node:os";
import { pythonText } from "../http/python-repr.ts";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import { pairsFor, toPairs } from "./address-pairs.ts";
import { allocateFixedIps, changeFixedIps, type FixedIpRequest, newMac } from "./addresses.ts";
import { attribute, standardAttributes, toKeyAndValue, type Values } from "./attributes.ts";
import { type DhcpOption, mergeDhcpOptions, toDhcpOptions } from "./dhcp-options.ts";
import { neutron } from "./errors.ts";
import { releaseFloatingIps } from "./floatingip-association.ts";
import { isEui64 } from "./ip.ts";
import { removeForwardingsTo } from "./port-forwarding-release.ts";
import {
  deviceOwner,
  type FixedIp,
  type NetworkTables,
  type Port,
  type PortDevice,
  routerInterfaceOwners,
} from "./records.ts";
import { commonView, type NetworkResource, newRecord, revised } from "./resource.ts";
import { checkGroups, defaultGroup } from "./security-groups.ts";
import { networkForNew } from "./sharing.ts";
import { fixedIps, listOf, nullOr, nullToList, oneOf, text, toBoolean, uuid, type Validator } from "./validators.ts";

const mac: Validator = (value) =>
  typeof value === "string" && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(value) && !/^(00:){5}00$/.test(value)
    ? undefined
    : `'${pythonText(value)}' is not a valid MAC address`;
const dictOrNull: Validator = (value) =>
  value === null || (typeof value === "object" && !Array.isArray(value))
    ? undefined
    : `'${pythonText(value)}' is not a dictionary`;
const vnicTypes = [
  ...["normal", "direct", "macvtap", "baremetal", "direct-physical", "virtio-forwarder", "smart-nic", "vdpa"],
  ...["accelerator-direct", "accelerator-direct-physical", "remote-managed"],
];

const attributes = {
  ...standardAttributes,
  tags: attribute<string[]>("cf", { validate: listOf(text(255)) }),
  name: attribute<string>("cufs", { validate: text(255) }),
  network_id: attribute<string>("crfs", { validate: uuid }),
  admin_state_up: attribute<boolean>("cufs", { convert: toBoolean }),
  mac_address: attribute<string | null>("cufs", {
    validate: nullOr(mac),
    privilege: "network owner",
    changePrivilege: "admin",
  }),
  fixed_ips: attribute<FixedIpRequest[]>("cuf", {
    validate: fixedIps,
    convertFilter: toKeyAndValue,
    privilege: "network owner or shared",
    changePrivilege: "network owner",
    parts: { ip_address: "network owner", subnet_id: "network owner or shared" },
  }),
  device_id: attribute<string>("cufs", { validate: text(255) }),
  device_owner: attribute<string>("cufs", {
    validate: text(255),
    privilege: (owner) => (String(owner).startsWith("network:") ? "network owner" : "anyone"),
    default: "",
  }),
  status: attribute<string>("fs"),
  allowed_address_pairs: attribute<Port["allowedAddressPairs"]>("cu", {
    convert: toPairs,
    privilege: "network owner",
    parts: { mac_address: "network owner", ip_address: "network owner" },
  }),
  extra_dhcp_opts: attribute<DhcpOption[] | null>("cu", { convert: toDhcpOptions }),
  device_profile: attribute<string | null>("c", { validate: nullOr(text(255)) }),
  numa_affinity_policy: attribute<string | null>("cu", { validate: oneOf("required", "preferred", "legacy", null) }),
  port_security_enabled: attribute<boolean>("cu", { convert: toBoolean, privilege: "network owner" }),
  "binding:vif_type": attribute<string>(""),
  "binding:vif_details": attribute<object>(""),
  "binding:vnic_type": attribute<string>("cu", {
    validate: oneOf(...vnicTypes),
    privilege: "anyone",
    default: "normal",
  }),
  "binding:host_id": attribute<string>("cuf", { privilege: "admin" }),
  "binding:profile": attribute<Record<string, unknown> | null>("cu", { validate: dictOrNull, privilege: "admin" }),
  security_groups: attribute<string[]>("cuf", { convert: nullToList, validate: listOf(uuid) }),
};

/** `/v2.0/ports` */
export const ports: NetworkResource<Port, typeof attributes> = {
  singular: "port",
  path: "ports",
  quota: 500,
  attributes,
  table: (tables) => tables.ports,
  notFound: neutron.portNotFound,
  // whoever has the network sees all that is plugged into it, and takes it away
  isPublic: ownsNetwork,
  mayAct: (tables, port, scope, action) => action === "delete" && ownsNetwork(tables, port, scope),
  networkOf: (tables, of) => {
    const id = "networkId" in of ? of.networkId : (of as { network_id?: string }).network_id;
    return tables.networks.get(id ?? "");
  },

  view: (_tables, port) => ({
    id: port.id,
    name: port.name,
    network_id: port.networkId,
    mac_address: port.mac,
    admin_state_up: port.adminStateUp,
    status: port.status,
    device_id: port.deviceId,
    device_owner: port.deviceOwner,
    fixed_ips: port.fixedIps.map((ip) => ({ subnet_id: ip.subnetId, ip_address: ip.ipAddress })),
    allowed_address_pairs: port.allowedAddressPairs,
    extra_dhcp_opts: port.extraDhcpOpts,
    security_groups: port.securityGroupIds,
    "binding:vnic_type": port.vnicType ?? "normal",
    port_security_enabled: port.portSecurityEnabled,
    ...(port.numaAffinityPolicy ? { numa_affinity_policy: port.numaAffinityPolicy } : {}),
    ...(port.deviceProfile ? { device_profile: port.deviceProfile } : {}),
    ...commonView(port),
  }),

  adminView: (_tables, port) => {
    const plugged = port.device?.kind === "server" || port.device?.kind === "router";
    const host = port.hostId ?? (plugged ? hostname() : "");
    return {
      "binding:host_id": host,
      "binding:profile": port.bindingProfile ?? {},
      "binding:vif_type": host === "" ? "unbound" : "bridge",
      "binding:vif_details": host === "" ? {} : { connectivity: "l2", port_filter: port.portSecurityEnabled },
    };
  },
  hidden: (tables, view) => ({ "binding:host_id": tables.ports.get(String(view.id))?.hostId ?? "" }),

  demandPlace: (tables, scope, body) => networkForNew(tables, scope, body.network_id ?? "", "port"),

  create(tables, scope, body) {
    const network = networkForNew(tables, scope, body.network_id ?? "", "port");
    const base = newRecord(scope, body);
    const owner = body.device_owner ?? "";
    demandOwnRouter(tables, scope, { owner, device: body.device_id ?? "", projectId: base.projectId });
    demandFreeMac(tables, network.id, body.mac_address);
    const macAddress = body.mac_address ?? newMac(tables);
    const portSecurityEnabled =
      body.port_security_enabled ?? (owner.startsWith("network:") ? false : network.portSecurityEnabled);
    return {
      ...base,
      revision: 1,
      tags: body.tags ?? [],
      networkId: network.id,
      mac: macAddress,
      adminStateUp: body.admin_state_up ?? true,
      status: "DOWN",
      deviceId: body.device_id ?? "",
      deviceOwner: owner,
      fixedIps: allocateFixedIps(tables, { networkId: network.id, owner, mac: macAddress }, body.fixed_ips),
      securityGroupIds: groupsFor(tables, scope, base.projectId, body.security_groups, portSecurityEnabled),
      portSecurityEnabled,
      allowedAddressPairs: pairsFor(body.allowed_address_pairs, macAddress, portSecurityEnabled),
      extraDhcpOpts: mergeDhcpOptions([], body.extra_dhcp_opts ?? []),
      ...bindingOf(body),
    };
  },

  update(tables, scope, port, body) {
    const portSecurityEnabled = body.port_security_enabled ?? port.portSecurityEnabled;
    const wanted = body.security_groups;
    if (!portSecurityEnabled && (wanted ?? port.securityGroupIds).length > 0) {
      throw wanted === undefined ? neutron.groupsOnPort() : neutron.groupsNeedSecurity();
    }
    const kept = !portSecurityEnabled && body.allowed_address_pairs === undefined ? [] : port.allowedAddressPairs;
    if (body.device_owner !== undefined || body.device_id !== port.deviceId) {
      const owner = body.device_owner || port.deviceOwner;
      demandOwnRouter(tables, scope, { owner, device: body.device_id || port.deviceId, projectId: port.projectId });
    }
    if (body.mac_address !== port.mac) demandFreeMac(tables, port.networkId, body.mac_address);
    // null asks for another one
    const mac = body.mac_address === null ? newMac(tables) : (body.mac_address ?? port.mac);
    return revised(port, {
      name: body.name ?? port.name,
      description: body.description ?? port.description,
      adminStateUp: body.admin_state_up ?? port.adminStateUp,
      mac,
      fixedIps: changedAddresses(tables, port, { mac, owner: body.device_owner ?? port.deviceOwner }, body.fixed_ips),
      securityGroupIds: wanted === undefined ? port.securityGroupIds : checkGroups(tables, scope, wanted),
      allowedAddressPairs:
        body.allowed_address_pairs === undefined
          ? kept
          : pairsFor(body.allowed_address_pairs, port.mac, portSecurityEnabled),
      extraDhcpOpts: mergeDhcpOptions(port.extraDhcpOpts, body.extra_dhcp_opts ?? []),
      portSecurityEnabled,
      deviceId: body.device_id ?? port.deviceId,
      deviceOwner: body.device_owner ?? port.deviceOwner,
      ...bindingOf(body),
    });
  },

  remove(tables, port) {
    if (isOfRouting(tables, port)) throw neutron.servicePortInUse(port.id, port.deviceOwner);
    demandInNoTrunk(tables, port.id);
    removePort(tables, port);
  },
};

/** Whether the port is a router's or a floating IP's, or is called so by the id of one that there is. */
function isOfRouting(tables: NetworkTables, { device, deviceId, deviceOwner: owner, fixedIps: ips }: Port): boolean {
  if (device?.kind === "router") return true;
  if (ips.length === 0) return false;
  if (owner === deviceOwner.floatingIp) return tables.floatingIps.get(deviceId) !== undefined;
  const isRouters = owner === deviceOwner.routerInterface || owner === deviceOwner.routerGateway;
  return isRouters && tables.routers.get(deviceId) !== undefined;
}

/** Nobody calls a port an interface of another project's router. @throws ApiError 409 */
function demandOwnRouter(
  tables: NetworkTables,
  scope: Scope,
  { owner, device, projectId }: { owner: string; device: string; projectId: string },
): void {
  if (isAdmin(scope) || !routerInterfaceOwners.includes(owner)) return;
  const router = tables.routers.get(device);
  if (router !== undefined && router.projectId !== projectId) throw neutron.deviceNotOwned(device);
}

/** Addresses that a port gives itself follow its MAC address. */
function changedAddresses(
  tables: NetworkTables,
  port: Port,
  { mac, owner }: { mac: string; owner: string },
  asked: FixedIpRequest[] | undefined,
): FixedIp[] {
  const follows = mac !== port.mac && port.fixedIps.some(({ ipAddress }) => isEui64(ipAddress));
  const wanted =
    asked ?? (follows ? port.fixedIps.map((ip) => ({ subnet_id: ip.subnetId, ip_address: ip.ipAddress })) : undefined);
  if (wanted === undefined) return port.fixedIps;
  return changeFixedIps(tables, { networkId: port.networkId, owner, mac }, port.fixedIps, wanted);
}

function ownsNetwork(tables: NetworkTables, port: Port, scope: Scope): boolean {
  const network = tables.networks.get(port.networkId);
  return network !== undefined && owns(scope, network.projectId);
}

function demandFreeMac(tables: NetworkTables, networkId: string, wanted: string | null | undefined): void {
  if (wanted === undefined || wanted === null) return;
  const same = (port: Port) => port.networkId === networkId && port.mac.toLowerCase() === wanted.toLowerCase();
  if (tables.ports.find(same) !== undefined) throw neutron.macInUse(networkId, wanted);
}

function bindingOf(body: Values<typeof attributes>): Partial<Port> {
  const [vnicType, hostId, profile] = [body["binding:vnic_type"], body["binding:host_id"], body["binding:profile"]];
  return {
    ...(vnicType === undefined ? {} : { vnicType }),
    ...(hostId === undefined ? {} : { hostId }),
    ...(profile === undefined ? {} : { bindingProfile: profile ?? {} }),
    ...(body.numa_affinity_policy === undefined ? {} : { numaAffinityPolicy: body.numa_affinity_policy }),
    ...(body.device_profile === undefined ? {} : { deviceProfile: body.device_profile }),
  };
}

function demandInNoTrunk(tables: NetworkTables, id: string): void {
  for (const trunk of tables.trunks.list()) {
    if (trunk.portId === id) throw neutron.portInUseByTrunk(id, trunk.id, "parent");
    if (trunk.subPorts.some((one) => one.port_id === id)) throw neutron.portInUseByTrunk(id, trunk.id, "sub");
  }
}

/** Deletes a port; a floating IP that leads to it is taken off first. */
export function removePort(tables: NetworkTables, port: Port): void {
  releaseFloatingIps(tables, port.id);
  removeForwardingsTo(tables, port.id);
  tables.ports.delete(port.id);
}

function groupsFor(
  tables: NetworkTables,
  scope: Scope,
  projectId: string,
  wanted: string[] | undefined,
  portSecurity: boolean,
): string[] {
  if (!portSecurity) {
    if (wanted === undefined || wanted.length === 0) return [];
    throw neutron.groupsNeedSecurity();
  }
  if (wanted !== undefined) return checkGroups(tables, scope, wanted);
  return projectId === "" ? [] : [defaultGroup(tables, projectId).id];
}

/** Plugs a port into a server, as Nova asks for it; 409 when another device has it. */
export function bindPort(tables: NetworkTables, portId: string, serverId: string): Port {
  const port = tables.ports.get(portId);
  if (port === undefined) throw neutron.portNotFound(portId);
  const user = userOf(port);
  if (user !== undefined && user !== serverId) throw neutron.portInUse(port.id, port.networkId, user);
  const device = serverDevice(tables, serverId);
  return tables.ports.put(revised(port, { deviceId: serverId, deviceOwner: deviceOwner.compute, device }));
}

/** What a port is plugged into that becomes a server's next NIC: of the lowest number that none of its others has. */
export function serverDevice(tables: NetworkTables, serverId: string): PortDevice {
  return { kind: "server", id: serverId, nic: lowestFree(nicNumbers(tables, serverId).values()) };
}

/** The numbers of a server's NICs by their ports, those of disabled ports too: a NIC that is made anew finds its name free. */
export function nicNumbers(tables: NetworkTables, serverId: string): Map<string, number> {
  const plugged = tables.ports.list(({ device }) => device?.id === serverId);
  const numbers = new Map(plugged.flatMap(({ id, device }) => (device?.nic === undefined ? [] : [[id, device.nic]])));
  for (const { id } of plugged) if (!numbers.has(id)) numbers.set(id, lowestFree(numbers.values()));
  return numbers;
}

function lowestFree(numbers: Iterable<number>): number {
  const taken = new Set(numbers);
  let number = 0;
  while (taken.has(number)) number++;
  return number;
}

/** The id of what has the port, or is said to have it; undefined for a free one. */
export function userOf({ device, deviceId }: Port): string | undefined {
  return deviceId || device?.id;
}

/** Sets the status of all ports of a server: ACTIVE while it runs. */
export function setPortsStatus(tables: NetworkTables, serverId: string, status: Port["status"]): void {
  for (const port of tables.ports.list((item) => item.device?.id === serverId && item.status !== status)) {
    tables.ports.put(revised(port, { status }));
  }
}

/** Takes a port off its server, for others to use. */
export function unbindPort(tables: NetworkTables, port: Port): void {
  tables.ports.put(revised(port, { device: undefined, deviceId: "", deviceOwner: "", status: "DOWN" }));
}
