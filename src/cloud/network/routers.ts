import { ApiError } from "../http/api-error.ts";
import type { Scope } from "../identity/scope.ts";
import { allocateFixedIps, changeFixedIps, type FixedIpRequest, newMac } from "./addresses.ts";
import { attribute, standardAttributes } from "./attributes.ts";
import { neutron } from "./errors.ts";
import { contains, parseCidr, versionOf } from "./ip.ts";
import { isAutoAddressed } from "./ipv6-modes.ts";
import { deviceOwner, type NetworkTables, type Port, type Router, type RouterGateway, type Subnet } from "./records.ts";
import { commonView, type NetworkResource, newInternalRecord, newRecord, revised } from "./resource.ts";
import { visibleNetwork } from "./sharing.ts";
import {
  boolean,
  dictOf,
  fixedIps,
  hostRoutes,
  isObject,
  listOf,
  normalRoutes,
  nullToList,
  text,
  toBoolean,
  uuid,
} from "./validators.ts";
import { demandZones, zone } from "./zones.ts";

/** `external_gateway_info` as it is sent; an empty object clears the gateway, as null does. */
interface GatewayRequest {
  network_id?: string;
  enable_snat?: boolean;
  external_fixed_ips?: FixedIpRequest[];
}

const gatewayInfo = dictOf({
  network_id: { required: true, validate: uuid },
  enable_snat: { convert: toBoolean, validate: boolean },
  external_fixed_ips: { validate: fixedIps },
});

const mostRoutes = 30;

const attributes = {
  ...standardAttributes,
  name: attribute<string>("cufs", { validate: text(255) }),
  admin_state_up: attribute<boolean>("cufs", { convert: toBoolean }),
  status: attribute<string>("s"),
  external_gateway_info: attribute<GatewayRequest | null>("cu", {
    validate: (value) =>
      value === null || (isObject(value) && Object.keys(value).length === 0) ? undefined : gatewayInfo(value),
    privilege: "anyone",
    parts: { network_id: "anyone", enable_snat: "admin", external_fixed_ips: "admin" },
    default: null,
  }),
  routes: attribute<Router["routes"]>("u", { convert: nullToList, validate: hostRoutes }),
  distributed: attribute<boolean>("cu", { convert: toBoolean, privilege: "admin" }),
  ha: attribute<boolean>("cu", { convert: toBoolean, privilege: "admin" }),
  flavor_id: attribute<string>("cs"),
  availability_zones: attribute<string[]>(""),
  availability_zone_hints: attribute<string[]>("c", { validate: listOf(text(255)) }),
};

/** `/v2.0/routers` */
export const routers: NetworkResource<Router, typeof attributes> = {
  singular: "router",
  path: "routers",
  quota: 10,
  attributes,
  table: (tables) => tables.routers,
  notFound: neutron.routerNotFound,

  view: (tables, router) => ({
    id: router.id,
    name: router.name,
    admin_state_up: router.adminStateUp,
    status: "ACTIVE",
    external_gateway_info: gatewayView(tables, router.gateway),
    availability_zones: router.gateway === null && interfacesOf(tables, router.id).length === 0 ? [] : [zone],
    availability_zone_hints: router.zoneHints ?? [],
    routes: router.routes,
    flavor_id: null,
    ...commonView(router),
  }),

  adminView: () => ({ distributed: false, ha: false }),

  create(tables, scope, body) {
    demandPlain(body);
    const router: Router = {
      ...newRecord(scope, body),
      revision: 1,
      adminStateUp: body.admin_state_up ?? true,
      gateway: null,
      routes: [],
      zoneHints: demandZones(body.availability_zone_hints),
    };
    return { ...router, gateway: plugGateway(tables, scope, router.id, body.external_gateway_info ?? null) };
  },

  update(tables, scope, router, body) {
    demandPlain(body);
    const wanted = body.external_gateway_info;
    const routes = body.routes === undefined ? router.routes : normalRoutes(body.routes);
    if (body.routes !== undefined) demandReachable(tables, router, routes);
    return revised(router, {
      name: body.name ?? router.name,
      description: body.description ?? router.description,
      adminStateUp: body.admin_state_up ?? router.adminStateUp,
      routes,
      gateway: wanted === undefined ? router.gateway : changeGateway(tables, scope, router, wanted),
    });
  },

  remove(tables, router) {
    const legs = interfacesOf(tables, router.id);
    if (legs.length > 0) {
      throw neutron.routerInUse(
        router.id,
        legs.map((leg) => leg.id),
      );
    }
    if (router.gateway !== null) {
      demandNoFloatingIps(tables, router, router.gateway);
      tables.ports.delete(router.gateway.portId);
    }
    tables.routers.delete(router.id);
  },
};

/** One machine has no routers of several hosts, and there is no flavor of them. */
function demandPlain(body: {
  distributed?: boolean | undefined;
  ha?: boolean | undefined;
  flavor_id?: string | undefined;
}) {
  if (body.flavor_id) throw new ApiError(404, `Flavor ${body.flavor_id} could not be found.`, "FlavorNotFound");
  if (body.distributed)
    throw neutron.bad("router", "Cannot create a distributed router: no agent of this cloud has them");
  if (body.ha)
    throw neutron.tooMany(
      "Not enough l3 agents available to ensure HA. Minimum required 2, available 1.",
      "HANotEnoughAvailableAgents",
    );
}

/** The router's legs in tenant networks. */
export function interfacesOf(tables: NetworkTables, routerId: string): Port[] {
  return tables.ports.list(({ device }) => device?.kind === "router" && device.id === routerId);
}

/** A next hop is a neighbour in one of the router's networks, and not the router itself. */
export function demandReachable(tables: NetworkTables, router: Router, routes: Router["routes"]): void {
  if (routes.length > mostRoutes) {
    const words = `Unable to complete operation for ${router.id}. The number of routes exceeds the maximum ${mostRoutes}.`;
    throw neutron.tooMany(words, "RoutesExhausted");
  }
  const gateway = tables.ports.get(router.gateway?.portId ?? "");
  const legs = [...interfacesOf(tables, router.id), ...(gateway === undefined ? [] : [gateway])].flatMap(
    (port) => port.fixedIps,
  );
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

/** The router's first IPv4 address on the external network. */
export function gatewayAddress(tables: NetworkTables, gateway: RouterGateway | null): string | null {
  const fixedIps = gateway === null ? [] : (tables.ports.get(gateway.portId)?.fixedIps ?? []);
  return fixedIps.find(({ ipAddress }) => versionOf(ipAddress) === 4)?.ipAddress ?? null;
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
  scope: Scope,
  routerId: string,
  wanted: GatewayRequest | null,
): RouterGateway | null {
  if (wanted?.network_id === undefined) return null;
  const network = visibleNetwork(tables, scope, wanted.network_id);
  if (!network.external) throw neutron.badRouterRequest(`Network ${network.id} is not an external network`);
  const asked = wanted.external_fixed_ips ?? [];
  demandNotGateways(tables, network.id, asked);
  const port = externalPort(
    tables,
    network.id,
    routerId,
    deviceOwner.routerGateway,
    asked.length === 0 ? undefined : asked,
  );
  return { networkId: network.id, enableSnat: wanted.enable_snat ?? true, portId: port.id };
}

function changeGateway(
  tables: NetworkTables,
  scope: Scope,
  router: Router,
  wanted: GatewayRequest | null,
): RouterGateway | null {
  const old = router.gateway;
  if (old !== null && old.networkId === wanted?.network_id) {
    if (wanted.external_fixed_ips?.length) changeGatewayAddresses(tables, old, wanted.external_fixed_ips);
    return { ...old, enableSnat: wanted.enable_snat ?? true };
  }
  if (old !== null) {
    demandNoFloatingIps(tables, router, old);
    tables.ports.delete(old.portId);
  }
  return plugGateway(tables, scope, router.id, wanted);
}

function changeGatewayAddresses(tables: NetworkTables, gateway: RouterGateway, asked: FixedIpRequest[]): void {
  demandNotGateways(tables, gateway.networkId, asked);
  const port = tables.ports.get(gateway.portId);
  if (port === undefined) return;
  const holder = { networkId: port.networkId, owner: port.deviceOwner, mac: port.mac };
  tables.ports.put(revised(port, { fixedIps: changeFixedIps(tables, holder, port.fixedIps, asked) }));
}

/** What leads out of the external network is not the router itself. */
function demandNotGateways(tables: NetworkTables, networkId: string, asked: FixedIpRequest[]): void {
  const gateways = tables.subnets.list((subnet) => subnet.networkId === networkId).map(({ gatewayIp }) => gatewayIp);
  const clash = asked.find(({ ip_address: address }) => address !== undefined && gateways.includes(address));
  if (clash === undefined) return;
  throw neutron.badRouterRequest(`External IP ${clash.ip_address} is the same as the gateway IP`);
}

function demandNoFloatingIps(tables: NetworkTables, router: Router, { networkId }: RouterGateway): void {
  const needed = tables.floatingIps.find((ip) => ip.routerId === router.id && ip.networkId === networkId);
  if (needed !== undefined) throw neutron.gatewayInUse(router.id, networkId);
}

/** A port that Neutron makes for itself on the external network: no tenant sees it, it only holds an address. */
export function externalPort(
  tables: NetworkTables,
  networkId: string,
  deviceId: string,
  owner: string,
  wanted?: FixedIpRequest[],
): Port {
  const mac = newMac(tables);
  return tables.ports.put({
    ...newInternalRecord(""),
    networkId,
    mac,
    adminStateUp: true,
    status: "ACTIVE",
    deviceId,
    deviceOwner: owner,
    fixedIps: allocateFixedIps(tables, { networkId, owner, mac }, wanted),
    securityGroupIds: [],
    portSecurityEnabled: false,
    allowedAddressPairs: [],
    extraDhcpOpts: [],
  });
}

/** The gateways on a network get an address of its new subnet, where they have none of that family but what they give themselves. */
export function addGatewayAddresses(tables: NetworkTables, subnet: Subnet): void {
  const isGateway = ({ networkId, deviceOwner: owner }: Port) =>
    networkId === subnet.networkId && owner === (deviceOwner.routerGateway as string);
  for (const port of tables.ports.list(isGateway)) {
    const given = port.fixedIps.filter((ip) => {
      const of = tables.subnets.get(ip.subnetId);
      return of !== undefined && !isAutoAddressed(of);
    });
    const isServed = given.some(({ ipAddress }) => versionOf(ipAddress) === versionOf(subnet.cidr));
    if (given.length > 1 || isServed) continue;
    const holder = { networkId: port.networkId, owner: port.deviceOwner, mac: port.mac };
    const kept = port.fixedIps.map((ip) => ({ subnet_id: ip.subnetId, ip_address: ip.ipAddress }));
    const fixedIps = changeFixedIps(tables, holder, port.fixedIps, [...kept, { subnet_id: subnet.id }]);
    tables.ports.put(revised(port, { fixedIps }));
  }
}
