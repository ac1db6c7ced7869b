import { owns, type Scope } from "../identity/scope.ts";
import { allocateFixedIps, newMac } from "./addresses.ts";
import { neutron } from "./errors.ts";
import { contains, overlaps, parseCidr } from "./ipv4.ts";
import { userOf } from "./ports.ts";
import { deviceOwner, type NetworkTables, type Port, type Router, type Subnet } from "./records.ts";
import { newInternalRecord, revised } from "./resource.ts";
import { interfacesOf } from "./routers.ts";
import { isObject, uuid } from "./validators.ts";

/** What names an interface: keys that Neutron does not know are none. @throws ApiError 400 */
function readInterface(input: unknown): { subnet_id?: string; port_id?: string } {
  const given = isObject(input) ? input : {};
  const names = (["subnet_id", "port_id"] as const).filter((name) => given[name] !== undefined && given[name] !== null);
  if (names.length === 0) throw neutron.badRouterRequest("Either subnet_id or port_id must be specified");
  for (const name of names) {
    const fault = uuid(given[name]);
    if (fault !== undefined) throw neutron.badRouterRequest(fault);
  }
  return Object.fromEntries(names.map((name) => [name, given[name]]));
}

/** `PUT /v2.0/routers/{id}/add_router_interface`: by subnet (takes its gateway address) or by a port that exists. */
export function addRouterInterface(tables: NetworkTables, scope: Scope, router: Router, input: unknown): unknown {
  const wanted = readInterface(input);
  if (wanted.port_id !== undefined && wanted.subnet_id !== undefined) {
    throw neutron.badRouterRequest("Cannot specify both subnet-id and port-id");
  }
  if (wanted.port_id !== undefined) return addByPort(tables, scope, router, wanted.port_id);
  const subnet = ownSubnet(tables, scope, wanted.subnet_id ?? "");
  if (subnet.gatewayIp === null) {
    throw neutron.badRouterRequest(`Subnet for router interface must have a gateway IP`);
  }
  demandRoom(tables, router, subnet);
  const port: Port = tables.ports.put({
    ...newInternalRecord(router.projectId),
    networkId: subnet.networkId,
    mac: newMac(tables),
    adminStateUp: true,
    status: "ACTIVE",
    deviceId: router.id,
    deviceOwner: deviceOwner.routerInterface,
    device: { kind: "router", id: router.id },
    fixedIps: allocateFixedIps(tables, subnet.networkId, deviceOwner.routerInterface, [
      { subnet_id: subnet.id, ip_address: subnet.gatewayIp },
    ]),
    securityGroupIds: [],
    portSecurityEnabled: false,
    allowedAddressPairs: [],
    extraDhcpOpts: [],
  });
  return interfaceView(router, port, subnet.id);
}

function addByPort(tables: NetworkTables, scope: Scope, router: Router, portId: string): unknown {
  const port = tables.ports.get(portId);
  if (port === undefined || !owns(scope, port.projectId)) throw neutron.portNotFound(portId);
  const user = userOf(port);
  if (user !== undefined) throw neutron.portInUse(port.id, port.networkId, user);
  const [ip] = port.fixedIps;
  if (ip === undefined || port.fixedIps.length > 1) {
    throw neutron.badRouterRequest("Cannot have multiple IPv4 subnets on router port");
  }
  demandRoom(tables, router, ownSubnet(tables, scope, ip.subnetId));
  tables.ports.put(
    revised(port, {
      deviceId: router.id,
      deviceOwner: deviceOwner.routerInterface,
      device: { kind: "router", id: router.id },
      status: "ACTIVE",
      securityGroupIds: [],
      portSecurityEnabled: false,
    }),
  );
  return interfaceView(router, port, ip.subnetId);
}

/** `PUT /v2.0/routers/{id}/remove_router_interface`; refused while a floating IP needs the interface. */
export function removeRouterInterface(tables: NetworkTables, _scope: Scope, router: Router, input: unknown): unknown {
  const wanted = readInterface(input);
  if (wanted.subnet_id !== undefined && tables.subnets.get(wanted.subnet_id) === undefined) {
    throw neutron.subnetNotFound(wanted.subnet_id);
  }
  const legs = interfacesOf(tables, router.id);
  const port = legs.find((leg) =>
    wanted.port_id === undefined
      ? leg.fixedIps.some((ip) => ip.subnetId === wanted.subnet_id)
      : leg.id === wanted.port_id,
  );
  if (port === undefined) {
    throw wanted.port_id === undefined
      ? neutron.noInterfaceOnSubnet(router.id, wanted.subnet_id ?? "")
      : neutron.noInterface(router.id, wanted.port_id);
  }
  const subnetId = port.fixedIps[0]?.subnetId ?? "";
  if (wanted.subnet_id !== undefined && wanted.subnet_id !== subnetId) {
    throw neutron.noInterfaceOnSubnet(router.id, wanted.subnet_id);
  }
  if (leadsInto(tables, router, subnetId)) throw neutron.interfaceInUse(router.id, subnetId);
  const range = parseCidr(tables.subnets.get(subnetId)?.cidr ?? "");
  if (range !== undefined && router.routes.some(({ nexthop }) => contains(range, nexthop))) {
    throw neutron.interfaceInUseByRoute(router.id, subnetId);
  }
  tables.ports.delete(port.id);
  return interfaceView(router, port, subnetId);
}

/** Whether a floating IP of the router, or a port of one, leads to an address of the subnet. */
function leadsInto(tables: NetworkTables, router: Router, subnetId: string): boolean {
  const isInside = (portId: string | null, address: string | null) =>
    tables.ports.get(portId ?? "")?.fixedIps.some((ip) => ip.subnetId === subnetId && ip.ipAddress === address) ===
    true;
  return tables.floatingIps
    .list((floating) => floating.routerId === router.id)
    .some(
      (floating) =>
        isInside(floating.portId, floating.fixedIp) ||
        tables.portForwardings
          .list(({ floatingIpId }) => floatingIpId === floating.id)
          .some(({ internalPortId, internalIp }) => isInside(internalPortId, internalIp)),
    );
}

function ownSubnet(tables: NetworkTables, scope: Scope, id: string): Subnet {
  const subnet = tables.subnets.get(id);
  if (subnet === undefined || !owns(scope, subnet.projectId)) throw neutron.subnetNotFound(id);
  return subnet;
}

/** A router has one leg per subnet, and its subnets do not overlap. */
function demandRoom(tables: NetworkTables, router: Router, subnet: Subnet): void {
  const wanted = parseCidr(subnet.cidr);
  for (const leg of interfacesOf(tables, router.id)) {
    for (const { subnetId } of leg.fixedIps) {
      if (subnetId === subnet.id) throw neutron.badRouterRequest(`Router already has a port on subnet ${subnet.id}`);
      const other = tables.subnets.get(subnetId);
      const taken = other === undefined ? undefined : parseCidr(other.cidr);
      if (other !== undefined && wanted !== undefined && taken !== undefined && overlaps(wanted, taken)) {
        throw neutron.badRouterRequest(
          `Cidr ${subnet.cidr} of subnet ${subnet.id} overlaps with cidr ${other.cidr} of subnet ${other.id}`,
        );
      }
    }
  }
}

function interfaceView(router: Router, port: Port, subnetId: string): unknown {
  return {
    id: router.id,
    tenant_id: router.projectId,
    port_id: port.id,
    network_id: port.networkId,
    subnet_id: subnetId,
    subnet_ids: [subnetId],
  };
}
