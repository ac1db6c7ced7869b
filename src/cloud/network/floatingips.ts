import { z } from "zod";
import { parseBody } from "../http/body.ts";
import { isAdmin } from "../identity/scope.ts";
import { neutron } from "./errors.ts";
import { associationTo, unassociated } from "./floatingip-association.ts";
import { externalNetwork } from "./networks.ts";
import { deviceOwner, type FloatingIp, type NetworkTables } from "./records.ts";
import { commonView, type NetworkResource, newRecord, revised } from "./resource.ts";
import { externalPort } from "./routers.ts";

const fields = {
  description: z.string().max(255).optional(),
  port_id: z.string().nullable().optional(),
  fixed_ip_address: z.string().nullable().optional(),
};
const createBody = z.strictObject({
  ...fields,
  floating_network_id: z.string(),
  floating_ip_address: z.string().optional(),
  subnet_id: z.string().nullable().optional(),
  tenant_id: z.string().optional(),
  project_id: z.string().optional(),
  dns_name: z.literal("").optional(),
  dns_domain: z.literal("").optional(),
});
const updateBody = z.strictObject(fields);

/** `/v2.0/floatingips`: an address of the external network, and the port that it leads to. */
export const floatingIps: NetworkResource<FloatingIp> = {
  singular: "floatingip",
  path: "floatingips",
  quota: 50,
  table: (tables) => tables.floatingIps,
  notFound: neutron.floatingIpNotFound,

  view: (tables, floating) => ({
    id: floating.id,
    floating_ip_address: floating.address,
    floating_network_id: floating.networkId,
    router_id: floating.routerId,
    port_id: floating.portId,
    fixed_ip_address: floating.fixedIp,
    status: floating.portId === null ? "DOWN" : "ACTIVE",
    port_details: portDetails(tables, floating.portId),
    ...commonView(floating),
  }),

  create(tables, scope, input) {
    const body = parseBody(createBody, input);
    const network = externalNetwork(tables, body.floating_network_id);
    if (body.floating_ip_address !== undefined && !isAdmin(scope)) {
      throw neutron.notAuthorized("create_floatingip:floating_ip_address");
    }
    const base = newRecord(scope, body);
    const wanted =
      body.floating_ip_address === undefined && (body.subnet_id ?? undefined) === undefined
        ? undefined
        : [{ subnet_id: body.subnet_id ?? undefined, ip_address: body.floating_ip_address }];
    const own = externalPort(tables, network.id, base.id, deviceOwner.floatingIp, wanted);
    const address = own.fixedIps[0]?.ipAddress;
    if (address === undefined) throw neutron.addressesExhausted(network.id);
    const floating: FloatingIp = { ...base, address, networkId: network.id, ownPortId: own.id, ...unassociated };
    if (body.port_id === undefined || body.port_id === null) return floating;
    return { ...floating, ...associationTo(tables, scope, floating, body.port_id, body.fixed_ip_address ?? undefined) };
  },

  update(tables, scope, floating, input) {
    const body = parseBody(updateBody, input);
    const description = body.description ?? floating.description;
    // as in Neutron: a PUT without port_id takes the address off its port, unless it changes nothing but the description
    const onlyDescribed =
      body.description !== undefined && body.port_id === undefined && body.fixed_ip_address === undefined;
    if (onlyDescribed) return revised(floating, { description });
    if (body.port_id === undefined || body.port_id === null) return revised(floating, { description, ...unassociated });
    const association = associationTo(tables, scope, floating, body.port_id, body.fixed_ip_address ?? undefined);
    return revised(floating, { description, ...association });
  },

  remove(tables, floating) {
    tables.ports.delete(floating.ownPortId);
    tables.floatingIps.delete(floating.id);
  },
};

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
