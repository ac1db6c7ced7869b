import { z } from "zod";
import { booleanLike, parseBody } from "../http/body.ts";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import { allocateFixedIps, newMac } from "./addresses.ts";
import { neutron } from "./errors.ts";
import { releaseFloatingIps } from "./floatingip-association.ts";
import { ipv4ToNumber, parseCidr } from "./ipv4.ts";
import { deviceOwner, type NetworkTables, type Port } from "./records.ts";
import { commonView, type NetworkResource, newRecord, revised } from "./resource.ts";
import { checkGroups, defaultGroup } from "./security-groups.ts";

const ipOrCidr = (text: string) => ipv4ToNumber(text) !== undefined || parseCidr(text) !== undefined;
const pair = z.strictObject({
  ip_address: z.string().refine(ipOrCidr, "is not a valid IP address or CIDR"),
  mac_address: z.string().optional(),
});
const dhcpOption = z.strictObject({
  opt_name: z.string(),
  opt_value: z.string(),
  ip_version: z.coerce.number().optional(),
});
const fields = {
  name: z.string().max(255).optional(),
  description: z.string().max(255).optional(),
  admin_state_up: booleanLike.optional(),
  fixed_ips: z
    .array(z.strictObject({ subnet_id: z.string().optional(), ip_address: z.string().optional() }))
    .optional(),
  security_groups: z.array(z.string()).nullable().optional(),
  allowed_address_pairs: z.array(pair).optional(),
  extra_dhcp_opts: z.array(dhcpOption).optional(),
  port_security_enabled: booleanLike.optional(),
  device_id: z.string().max(255).optional(),
  device_owner: z.string().max(255).optional(),
  "binding:vnic_type": z.literal("normal").optional(),
  "binding:host_id": z.string().optional(),
  "binding:profile": z.record(z.string(), z.unknown()).optional(),
};
const mac = z
  .string()
  .regex(/^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/, "is not a valid MAC address")
  .transform((text) => text.toLowerCase());
const createBody = z.strictObject({
  ...fields,
  network_id: z.string(),
  mac_address: mac.optional(),
  tenant_id: z.string().optional(),
  project_id: z.string().optional(),
  propagate_uplink_status: z.boolean().optional(),
});
const updateBody = z.strictObject(fields);

/** `/v2.0/ports` */
export const ports: NetworkResource<Port> = {
  singular: "port",
  path: "ports",
  quota: 500,
  table: (tables) => tables.ports,
  notFound: neutron.portNotFound,

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
    "binding:vnic_type": "normal",
    port_security_enabled: port.portSecurityEnabled,
    ...commonView(port),
  }),

  create(tables, scope, input) {
    const body = parseBody(createBody, input);
    const network = tables.networks.get(body.network_id);
    if (network === undefined || !(owns(scope, network.projectId) || network.shared)) {
      throw neutron.networkNotFound(body.network_id);
    }
    if (body.mac_address !== undefined && tables.ports.find((port) => port.mac === body.mac_address) !== undefined) {
      throw neutron.macInUse(network.id, body.mac_address);
    }
    const base = newRecord(scope, body);
    const macAddress = body.mac_address ?? newMac(tables);
    const portSecurityEnabled = body.port_security_enabled ?? network.portSecurityEnabled;
    return {
      ...base,
      revision: 1,
      networkId: network.id,
      mac: macAddress,
      adminStateUp: body.admin_state_up ?? true,
      status: "DOWN",
      deviceId: body.device_id ?? "",
      deviceOwner: body.device_owner ?? "",
      fixedIps: allocateFixedIps(tables, network.id, body.fixed_ips),
      securityGroupIds: groupsFor(
        tables,
        scope,
        base.projectId,
        body.security_groups ?? undefined,
        portSecurityEnabled,
      ),
      portSecurityEnabled,
      allowedAddressPairs: pairsFor(body.allowed_address_pairs, macAddress),
      extraDhcpOpts: body.extra_dhcp_opts ?? [],
    };
  },

  update(tables, scope, port, input) {
    const body = parseBody(updateBody, input);
    const portSecurityEnabled = body.port_security_enabled ?? port.portSecurityEnabled;
    const wanted = body.security_groups === null ? [] : body.security_groups;
    if (!portSecurityEnabled && (wanted ?? port.securityGroupIds).length > 0) {
      throw neutron.badRequest(
        "Port security must be enabled and port must have an IP address in order to use security groups.",
      );
    }
    return revised(port, {
      name: body.name ?? port.name,
      description: body.description ?? port.description,
      adminStateUp: body.admin_state_up ?? port.adminStateUp,
      fixedIps:
        body.fixed_ips === undefined
          ? port.fixedIps
          : allocateFixedIps(tables, port.networkId, body.fixed_ips, port.fixedIps),
      securityGroupIds: wanted === undefined ? port.securityGroupIds : checkGroups(tables, scope, wanted),
      allowedAddressPairs:
        body.allowed_address_pairs === undefined
          ? port.allowedAddressPairs
          : pairsFor(body.allowed_address_pairs, port.mac),
      extraDhcpOpts: body.extra_dhcp_opts ?? port.extraDhcpOpts,
      portSecurityEnabled,
      deviceId: body.device_id ?? port.deviceId,
      deviceOwner: body.device_owner ?? port.deviceOwner,
    });
  },

  remove(tables, port) {
    const owner = port.deviceOwner;
    if (
      owner === deviceOwner.routerInterface ||
      owner === deviceOwner.routerGateway ||
      owner === deviceOwner.floatingIp
    ) {
      throw neutron.servicePortInUse(port.id, owner);
    }
    demandInNoTrunk(tables, port.id);
    removePort(tables, port);
  },
};

function demandInNoTrunk(tables: NetworkTables, id: string): void {
  for (const trunk of tables.trunks.list()) {
    if (trunk.portId === id) throw neutron.portInUseByTrunk(id, trunk.id, "parent");
    if (trunk.subPorts.some((one) => one.port_id === id)) throw neutron.portInUseByTrunk(id, trunk.id, "sub");
  }
}

/** Deletes a port; a floating IP that leads to it is taken off first. */
export function removePort(tables: NetworkTables, port: Port): void {
  releaseFloatingIps(tables, port.id);
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
    throw neutron.badRequest(
      "Port security must be enabled and port must have an IP address in order to use security groups.",
    );
  }
  if (wanted !== undefined) return checkGroups(tables, scope, wanted);
  return projectId === "" || (isAdmin(scope) && projectId !== scope.project?.id)
    ? []
    : [defaultGroup(tables, projectId).id];
}

function pairsFor(pairs: z.infer<typeof pair>[] | undefined, portMac: string): Port["allowedAddressPairs"] {
  return (pairs ?? []).map((item) => ({ ip_address: item.ip_address, mac_address: item.mac_address ?? portMac }));
}

/** Plugs a port into a server, as Nova asks for it; 409 when another device has it. */
export function bindPort(tables: NetworkTables, portId: string, serverId: string): Port {
  const port = tables.ports.get(portId);
  if (port === undefined) throw neutron.portNotFound(portId);
  if (port.deviceId !== "" && port.deviceId !== serverId)
    throw neutron.portInUse(port.id, port.networkId, port.deviceId);
  return tables.ports.put(revised(port, { deviceId: serverId, deviceOwner: deviceOwner.compute }));
}

/** Sets the status of all ports of a server: ACTIVE while it runs. */
export function setPortsStatus(tables: NetworkTables, serverId: string, status: Port["status"]): void {
  for (const port of tables.ports.list((item) => item.deviceId === serverId && item.status !== status)) {
    tables.ports.put(revised(port, { status }));
  }
}

/** Takes a port off its server, for others to use. */
export function unbindPort(tables: NetworkTables, port: Port): void {
  tables.ports.put(revised(port, { deviceId: "", deviceOwner: "", status: "DOWN" }));
}
