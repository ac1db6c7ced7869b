import { z } from "zod";
import { booleanLike, parseBody } from "../http/body.ts";
import { allocateFixedIps, newMac } from "./addresses.ts";
import { neutron } from "./errors.ts";
import { contains, parseCidr } from "./ipv4.ts";
import { deviceOwner, type NetworkTables, type Port, type Router, type RouterGateway } from "./records.ts";
import { commonView, type NetworkResource, newInternalRecord, newRecord, revised } from "./resource.ts";

const gatewayInfo = z.strictObject({
  network_id: z.string(),
  enable_snat: booleanLike.optional(),
  external_fixed_ips: z
    .array(z.strictObject({ subnet_id: z.string().optional(), ip_address: z.string().optional() }))
    .optional(),
});
const fields = {
  name: z.string().max(255).optional(),
  description: z.string().max(255).optional(),
  admin_state_up: booleanLike.optional(),
  // an empty object clears the gateway, as null does
  external_gateway_info: z
    .union([gatewayInfo, z.strictObject({}).transform(() => null)])
    .nullable()
    .optional(),
  routes: z
    .array(z.strictObject({ destination: z.string(), nexthop: z.string() }))
    .max(30)
    .optional(),
};
const createBody = z.strictObject({
  ...fields,
  tenant_id: z.string().optional(),
  project_id: z.string().optional(),
  availability_zone_hints: z.array(z.string()).optional(),
});
const updateBody = z.strictObject(fields);

/** `/v2.0/routers` */
export const routers: NetworkResource<Router> = {
  singular: "router",
  path: "routers",
  quota: 10,
  table: (tables) => tables.routers,
  notFound: neutron.routerNotFound,

  view: (tables, router) => ({
    id: router.id,
    name: router.name,
    admin_state_up: router.adminStateUp,
    status: "ACTIVE",
    external_gateway_info: gatewayView(tables, router.gateway),
    availability_zones: ["nova"],
    availability_zone_hints: [],
    routes: router.routes,
    flavor_id: null,
    ...commonView(router),
  }),

  create(tables, scope, input) {
    const body = parseBody(createBody, input);
    const router = {
      ...newRecord(scope, body),
      adminStateUp: body.admin_state_up ?? true,
      gateway: null,
      routes: body.routes ?? [],
    };
    return { ...router, gateway: plugGateway(tables, router.id, body.external_gateway_info ?? null) };
  },

  update(tables, _scope, router, input) {
    const body = parseBody(updateBody, input);
    const wanted = body.external_gateway_info;
    if (body.routes !== undefined) demandReachable(tables, router, body.routes);
    return revised(router, {
      name: body.name ?? router.name,
      description: body.description ?? router.description,
      adminStateUp: body.admin_state_up ?? router.adminStateUp,
      routes: body.routes ?? router.routes,
      gateway: wanted === undefined ? router.gateway : changeGateway(tables, router, wanted),
    });
  },

  remove(tables, router) {
    if (interfacesOf(tables, router.id).length > 0) throw neutron.routerInUse(router.id);
    if (router.gateway !== null) tables.ports.delete(router.gateway.portId);
    tables.routers.delete(router.id);
  },
};

/** The router's legs in tenant networks. */
export function interfacesOf(tables: NetworkTables, routerId: string): Port[] {
  return tables.ports.list((port) => port.deviceId === routerId && port.deviceOwner === deviceOwner.routerInterface);
}

/** A next hop is a neighbour in one of the router's networks, and not the router itself. */
function demandReachable(tables: NetworkTables, router: Router, routes: Router["routes"]): void {
  const legs = tables.ports.list((port) => port.deviceId === router.id).flatMap((port) => port.fixedIps);
  const ranges = legs.flatMap((ip) => parseCidr(tables.subnets.get(ip.subnetId)?.cidr ?? "") ?? []);
  for (const { nexthop } of routes) {
    if (!ranges.some((range) => contains(range, nexthop))) {
      throw neutron.invalidRoutes(routes, "the nexthop is not connected with router");
    }
    if (legs.some((ip) => ip.ipAddress === nexthop)) {
      throw neutron.invalidRoutes(routes, "the nexthop is used by router");
    }
  }
}

/** The router's first address on the external network. */
export function gatewayAddress(tables: NetworkTables, gateway: RouterGateway | null): string | null {
  return gateway === null ? null : (tables.ports.get(gateway.portId)?.fixedIps[0]?.ipAddress ?? null);
}

function gatewayView(tables: NetworkTables, gateway: RouterGateway | null): unknown {
  if (gateway === null) return null;
  const fixedIps = tables.ports.get(gateway.portId)?.fixedIps ?? [];
  return {
    network_id: gateway.networkId,
    external_fixed_ips: fixedIps.map((ip) => ({ subnet_id: ip.subnetId, ip_address: ip.ipAddress })),
    enable_snat: gateway.enableSnat,
  };
}

function plugGateway(
  tables: NetworkTables,
  routerId: string,
  wanted: z.infer<typeof gatewayInfo> | null,
): RouterGateway | null {
  if (wanted === null) return null;
  const network = tables.networks.get(wanted.network_id);
  if (network === undefined) throw neutron.networkNotFound(wanted.network_id);
  if (!network.external) throw neutron.badRouterRequest(`Network ${network.id} is not an external network`);
  const port = externalPort(tables, network.id, routerId, deviceOwner.routerGateway, wanted.external_fixed_ips);
  return { networkId: network.id, enableSnat: wanted.enable_snat ?? true, portId: port.id };
}

function changeGateway(
  tables: NetworkTables,
  router: Router,
  wanted: z.infer<typeof gatewayInfo> | null,
): RouterGateway | null {
  const old = router.gateway;
  if (
    old !== null &&
    wanted !== null &&
    old.networkId === wanted.network_id &&
    wanted.external_fixed_ips === undefined
  ) {
    return { ...old, enableSnat: wanted.enable_snat ?? old.enableSnat };
  }
  if (old !== null) {
    const needed = tables.floatingIps.find((ip) => ip.routerId === router.id && ip.networkId === old.networkId);
    if (needed !== undefined && wanted?.network_id !== old.networkId)
      throw neutron.gatewayInUse(router.id, old.networkId);
    tables.ports.delete(old.portId);
  }
  return plugGateway(tables, router.id, wanted);
}

/** A port that Neutron makes for itself on the external network: no tenant sees it, it only holds an address. */
export function externalPort(
  tables: NetworkTables,
  networkId: string,
  deviceId: string,
  owner: string,
  fixedIps?: { subnet_id?: string | undefined; ip_address?: string | undefined }[],
): Port {
  return tables.ports.put({
    ...newInternalRecord(""),
    networkId,
    mac: newMac(tables),
    adminStateUp: true,
    status: "ACTIVE",
    deviceId,
    deviceOwner: owner,
    fixedIps: allocateFixedIps(tables, networkId, fixedIps),
    securityGroupIds: [],
    portSecurityEnabled: false,
    allowedAddressPairs: [],
    extraDhcpOpts: [],
  });
}
