import type { FixedIpRequest } from "./addresses.ts";
import { attribute, standardAttributes } from "./attributes.ts";
import { neutron } from "./errors.ts";
import { associationTo, unassociated } from "./floatingip-association.ts";
import { versionOf } from "./ip.ts";
import { externalNetwork } from "./networks.ts";
import { deviceOwner, type FloatingIp, type NetworkTables } from "./records.ts";
import { commonView, type NetworkResource, newRecord, revised } from "./resource.ts";
import { externalPort } from "./routers.ts";
import { ipAddress, nullOr, uuid } from "./validators.ts";

const attributes = {
  ...standardAttributes,
  floating_ip_address: attribute<string | null>("cfs", {
    validate: nullOr(ipAddress),
    privilege: "admin",
    default: null,
  }),
  subnet_id: attribute<string | null>("c", { validate: nullOr(uuid) }),
  floating_network_id: attribute<string>("crfs", { validate: uuid }),
  router_id: attribute<string>("fs"),
  port_id: attribute<string | null>("cuf", { validate: nullOr(uuid) }),
  fixed_ip_address: attribute<string | null>("cufs", { validate: nullOr(ipAddress) }),
  status: attribute<string>("fs"),
  port_details: attribute<object>(""),
  port_forwardings: attribute<object[]>(""),
};

/** `/v2.0/floatingips`: an address of the external network, and the port that it leads to. */
export const floatingIps: NetworkResource<FloatingIp, typeof attributes> = {
  singular: "floatingip",
  path: "floatingips",
  quota: 50,
  attributes,
  table: (tables) => tables.floatingIps,
  notFound: neutron.floatingIpNotFound,

  view: (tables, floating) => ({
    id: floating.id,
    floating_ip_address: floating.address,
    floating_network_id: floating.networkId,
    router_id: floating.routerId,
    port_id: floating.portId,
    fixed_ip_address: floating.fixedIp,
    status: floating.portId === null && floating.routerId === null ? "DOWN" : "ACTIVE",
    port_details: portDetails(tables, floating.portId),
    port_forwardings: forwardingsOf(tables, floating),
    ...commonView(floating),
  }),

  create(tables, scope, body) {
    const network = externalNetwork(tables, scope, body.floating_network_id ?? "");
    const isIpv4 = tables.subnets.find(({ networkId, cidr }) => networkId === network.id && versionOf(cidr) === 4);
    if (isIpv4 === undefined) {
      throw neutron.bad("floatingip", `Network ${network.id} does not contain any IPv4 subnet`);
    }
    const base = newRecord(scope, body);
    demandPort(body);
    const wanted: FixedIpRequest = {
      ...(body.subnet_id ? { subnet_id: body.subnet_id } : {}),
      ...(body.floating_ip_address ? { ip_address: body.floating_ip_address } : {}),
    };
    const asked = Object.keys(wanted).length === 0 ? undefined : [wanted];
    const own = externalPort(tables, network.id, base.id, deviceOwner.floatingIp, asked);
    const address = own.fixedIps.find(({ ipAddress: held }) => versionOf(held) === 4)?.ipAddress;
    if (address === undefined) throw neutron.externalAddressExhausted(network.id);
    const floating: FloatingIp = { ...base, address, networkId: network.id, ownPortId: own.id, ...unassociated };
    if (body.port_id === undefined || body.port_id === null) return floating;
    return { ...floating, ...associationTo(tables, scope, floating, body.port_id, body.fixed_ip_address ?? undefined) };
  },

  update(tables, scope, floating, body) {
    const description = body.description ?? floating.description;
    // as in Neutron: a PUT without port_id takes the address off its port, unless it changes nothing but the description
    const onlyDescribed =
      body.description !== undefined && body.port_id === undefined && body.fixed_ip_address === undefined;
    if (onlyDescribed) return revised(floating, { description });
    demandPort(body);
    if (forwardingsOf(tables, floating).length > 0) throw neutron.floatingIpForwards(floating.id);
    if (body.port_id === undefined || body.port_id === null) return revised(floating, { description, ...unassociated });
    const association = associationTo(tables, scope, floating, body.port_id, body.fixed_ip_address ?? undefined);
    return revised(floating, { description, ...association });
  },

  remove(tables, floating) {
    if (forwardingsOf(tables, floating).length > 0) throw neutron.floatingIpForwards(floating.id);
    tables.ports.delete(floating.ownPortId);
    tables.floatingIps.delete(floating.id);
  },
};

function demandPort(body: { port_id?: string | null | undefined; fixed_ip_address?: string | null | undefined }): void {
  if (body.fixed_ip_address && !body.port_id) {
    throw neutron.bad("floatingip", "fixed_ip_address cannot be specified without a port_id");
  }
}

function forwardingsOf(tables: NetworkTables, floating: FloatingIp): unknown[] {
  return tables.portForwardings
    .list(({ floatingIpId }) => floatingIpId === floating.id)
    .map(({ id, protocol, externalPort: external, internalIp, internalPort, internalPortId }) => ({
      ...{ id, protocol, external_port: external, internal_ip_address: internalIp, internal_port: internalPort },
      internal_port_id: internalPortId,
    }));
}

function portDetails(tables: NetworkTables, portId: string | null): unknown {
  const port = portId === null ? undefined : tables.ports.get(portId);
  if (port === undefined) return null;
  return {
    name: port.name,
    network_id: port.networkId,
    mac_address: port.mac,
    admin_state_up: port.adminStateUp,
    status: port.status,
    device_id: port.deviceId,
    device_owner: port.deviceOwner,
  };
}
