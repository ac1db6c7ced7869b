import { z } from "zod";
import { booleanLike, parseBody } from "../http/body.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import { neutron } from "./errors.ts";
import { removePort } from "./ports.ts";
import type { Network, NetworkTables } from "./records.ts";
import { commonView, type NetworkResource, newRecord, revised } from "./resource.ts";
import { removeSubnet } from "./subnets.ts";

/** Bytes; what the tenant networks of a cloud with tunnels have. */
const tenantMtu = 1450;

const fields = {
  name: z.string().max(255).optional(),
  description: z.string().max(255).optional(),
  admin_state_up: booleanLike.optional(),
  shared: booleanLike.optional(),
  "router:external": booleanLike.optional(),
  mtu: z.coerce.number().int().min(68).max(9000).optional(),
  port_security_enabled: booleanLike.optional(),
};
const createBody = z.strictObject({
  ...fields,
  tenant_id: z.string().optional(),
  project_id: z.string().optional(),
  availability_zone_hints: z.array(z.string()).optional(),
  is_default: booleanLike.optional(),
});
const updateBody = z.strictObject(fields);

/** `/v2.0/networks` */
export const networks: NetworkResource<Network> = {
  singular: "network",
  path: "networks",
  quota: 100,
  table: (tables) => tables.networks,
  notFound: neutron.networkNotFound,
  isPublic: (_tables, network) => network.shared || network.external,

  view: (tables, network) => ({
    id: network.id,
    name: network.name,
    admin_state_up: network.adminStateUp,
    mtu: network.mtu,
    status: "ACTIVE",
    subnets: tables.subnets.list((subnet) => subnet.networkId === network.id).map((subnet) => subnet.id),
    shared: network.shared,
    availability_zone_hints: [],
    availability_zones: ["nova"],
    ipv4_address_scope: null,
    ipv6_address_scope: null,
    "router:external": network.external,
    is_default: false,
    port_security_enabled: network.portSecurityEnabled,
    ...commonView(network),
  }),

  create(_tables, scope, input) {
    const body = parseBody(createBody, input);
    demandAdmin(scope, body);
    return {
      ...newRecord(scope, body),
      adminStateUp: body.admin_state_up ?? true,
      shared: body.shared ?? false,
      external: body["router:external"] ?? false,
      mtu: body.mtu ?? tenantMtu,
      portSecurityEnabled: body.port_security_enabled ?? true,
    };
  },

  update(_tables, scope, network, input) {
    const body = parseBody(updateBody, input);
    demandAdmin(scope, body);
    return revised(network, {
      name: body.name ?? network.name,
      description: body.description ?? network.description,
      adminStateUp: body.admin_state_up ?? network.adminStateUp,
      shared: body.shared ?? network.shared,
      external: body["router:external"] ?? network.external,
      mtu: body.mtu ?? network.mtu,
      portSecurityEnabled: body.port_security_enabled ?? network.portSecurityEnabled,
    });
  },

  remove(tables, network) {
    const ports = tables.ports.list((port) => port.networkId === network.id);
    // what Neutron plugs for itself goes with the network
    const inUse = ports.filter((port) => !port.deviceOwner.startsWith("network:dhcp"));
    if (inUse.length > 0) {
      throw neutron.networkInUse(
        network.id,
        inUse.map((port) => port.id),
      );
    }
    for (const port of ports) removePort(tables, port);
    for (const subnet of tables.subnets.list((item) => item.networkId === network.id)) removeSubnet(tables, subnet);
    tables.networks.delete(network.id);
  },
};

function demandAdmin(
  scope: Scope,
  body: { shared?: boolean | undefined; "router:external"?: boolean | undefined },
): void {
  if (isAdmin(scope)) return;
  if (body.shared === true) throw neutron.notAuthorized("create_network:shared");
  if (body["router:external"] === true) throw neutron.notAuthorized("create_network:router:external");
}

/** The external network that a pool name or id means; its floating IPs are what the cloud can hand out. */
export function externalNetwork(tables: NetworkTables, id: string): Network {
  const network = tables.networks.get(id);
  if (network === undefined) throw neutron.networkNotFound(id);
  if (!network.external) {
    throw neutron.badRequest(`Bad floatingip request: Network ${id} is not a valid external network.`);
  }
  return network;
}
