import { owns, type Scope } from "../identity/scope.ts";
import { allocateFixedIps, inOrder, newMac } from "./addresses.ts";
import { neutron } from "./errors.ts";
import { contains, isRoutersOwn, knownRange, overlaps, parseCidr, versionOf } from "./ip.ts";
import { userOf } from "./ports.ts";
import { deviceOwner, type FixedIp, type NetworkTables, type Port, type Router, type Subnet } from "./records.ts";
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
  demandRoutable(subnet);
  demandRoutersOwn({ subnetId: subnet.id, ipAddress: subnet.gatewayIp });
  demandRoom(tables, router, [subnet]);
  const holder = { networkId: subnet.networkId, owner: deviceOwner.routerInterface };
  const address = { subnet_id: subnet.id, ip_address: subnet.gatewayIp };
  const port = versionOf(subnet.cidr) === 6 ? ipv6PortOf(tables, router, subnet.networkId) : undefined;
  if (port !== undefined) {
    const [added] = allocateFixedIps(tables, { ...holder, mac: port.mac }, [address]);
    tables.ports.put(revised(port, { fixedIps: inOrder([...port.fixedIps, ...(added === undefined ? [] : [added])]) }));
    return interfaceView(router, port, [subnet.id]);
  }
  const mac = newMac(tables);
  const made: Port = tables.ports.put({
    ...newInternalRecord(router.projectId),
    networkId: subnet.networkId,
    mac,
    adminStateUp: true,
    status: "ACTIVE",
    deviceId: router.id,
    deviceOwner: deviceOwner.routerInterface,
    device: { kind: "router", id: router.id },
    fixedIps: allocateFixedIps(tables, { ...holder, mac }, [address]),
    securityGroupIds: [],
    portSecurityEnabled: false,
    allowedAddressPairs: [],
    extraDhcpOpts: [],
  });
  return interfaceView(router, made, [subnet.id]);
}

/** The IPv6 subnets of a network are on one port of a router: links have several prefixes there. */
function ipv6PortOf(tables: NetworkTables, router: Router, networkId: string): Port | undefined {
  return interfacesOf(tables, router.id).find((port) => port.networkId === networkId && hasIpv6(port));
}

const hasIpv6 = ({ fixedIps }: Port) => fixedIps.some(({ ipAddress }) => versionOf(ipAddress) === 6);

function addByPort(tables: NetworkTables, scope: Scope, router: Router, portId: string): unknown {
  const port = tables.ports.get(portId);
  if (port === undefined || !owns(scope, port.projectId)) throw neutron.portNotFound(portId);
  const user = userOf(port);
  if (user !== undefined) throw neutron.portInUse(port.id, port.networkId, user);
  if (port.fixedIps.length === 0) throw neutron.badRouterRequest("Router port must have at least one fixed IP");
  const subnets = port.fixedIps.map(({ subnetId }) => ownSubnet(tables, scope, subnetId));
  for (const subnet of subnets) demandRoutable(subnet);
  for (const ip of port.fixedIps) demandRoutersOwn(ip);
  const other = hasIpv6(port) ? ipv6PortOf(tables, router, port.networkId) : undefined;
  if (other !== undefined) {
    throw neutron.badRouterRequest(
      `Cannot have multiple router ports with the same network id if both contain IPv6 subnets. Existing port ${other.id} has IPv6 subnet(s) and network id ${other.networkId}`,
    );
  }
  demandRoom(tables, router, subnets);
  if (subnets.filter(({ cidr }) => versionOf(cidr) === 4).length > 1) {
    throw neutron.badRouterRequest("Cannot have multiple IPv4 subnets on router port");
  }
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
  return interfaceView(
    router,
    port,
    subnets.map(({ id }) => id),
  );
}

/** `PUT /v2.0/routers/{id}/remove_router_interface`; refused while a floating IP needs the interface. */
export function removeRouterInterface(tables: NetworkTables, _scope: Scope, router: Router, input: unknown): unknown {
  const wanted = readInterface(input);
  return wanted.port_id === undefined
    ? removeSubnetFrom(tables, router, wanted.subnet_id ?? "")
    : removeInterfacePort(tables, router, wanted.port_id, wanted.subnet_id);
}

function removeInterfacePort(tables: NetworkTables, router: Router, portId: string, subnetId?: string): unknown {
  const port = interfacesOf(tables, router.id).find(({ id }) => id === portId);
  if (port === undefined) throw neutron.noInterface(router.id, portId);
  const subnetIds = port.fixedIps.map((ip) => ip.subnetId);
  if (subnetId !== undefined && !subnetIds.includes(subnetId)) throw neutron.subnetMismatch(portId, subnetId);
  for (const id of subnetIds) demandUnneeded(tables, router, id);
  tables.ports.delete(port.id);
  return interfaceView(router, port, subnetIds);
}

/** What else is on the port stays there. */
function removeSubnetFrom(tables: NetworkTables, router: Router, subnetId: string): unknown {
  if (tables.subnets.get(subnetId) === undefined) throw neutron.subnetNotFound(subnetId);
  const isOf = (ip: FixedIp) => ip.subnetId === subnetId;
  const port = interfacesOf(tables, router.id).find(({ fixedIps }) => fixedIps.some(isOf));
  if (port === undefined) throw neutron.noInterfaceOnSubnet(router.id, subnetId);
  demandUnneeded(tables, router, subnetId);
  const fixedIps = port.fixedIps.filter((ip) => !isOf(ip));
  if (fixedIps.length === 0) tables.ports.delete(port.id);
  else tables.ports.put(revised(port, { fixedIps }));
  return interfaceView(router, port, [subnetId]);
}

function demandUnneeded(tables: NetworkTables, router: Router, subnetId: string): void {
  if (leadsInto(tables, router, subnetId)) throw neutron.interfaceInUse(router.id, subnetId);
  const range = parseCidr(tables.subnets.get(subnetId)?.cidr ?? "");
  if (range !== undefined && router.routes.some(({ nexthop }) => contains(range, nexthop))) {
    throw neutron.interfaceInUseByRoute(router.id, subnetId);
  }
}

/** Hosts that listen to somebody else's router are not served by one of this cloud. */
function demandRoutable({ id, ipv6AddressMode, ipv6RaMode }: Subnet): void {
  if (ipv6AddressMode === undefined || ipv6RaMode !== undefined) return;
  throw neutron.badRouterRequest(
    `IPv6 subnet ${id} configured to receive RAs from an external router cannot be added to Neutron Router.`,
  );
}

/** A link takes no such address, or gives it to itself. */
function demandRoutersOwn({ subnetId, ipAddress }: FixedIp): void {
  if (isRoutersOwn(ipAddress)) return;
  throw neutron.badRouterRequest(
    `IP address ${ipAddress} of subnet ${subnetId} cannot be a router's: it is unspecified, loopback, link-local or multicast`,
  );
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
function demandRoom(tables: NetworkTables, router: Router, wanted: Subnet[]): void {
  const held = interfacesOf(tables, router.id).flatMap(({ fixedIps }) => fixedIps.map(({ subnetId }) => subnetId));
  for (const subnetId of held) {
    if (wanted.some(({ id }) => id === subnetId)) {
      throw neutron.badRouterRequest(`Router already has a port on subnet ${subnetId}`);
    }
    const other = tables.subnets.get(subnetId);
    if (other === undefined) continue;
    const clash = wanted.find(({ cidr }) => overlaps(knownRange(cidr), knownRange(other.cidr)));
    if (clash === undefined) continue;
    throw neutron.badRouterRequest(
      `Cidr ${clash.cidr} of subnet ${clash.id} overlaps with cidr ${other.cidr} of subnet ${other.id}`,
    );
  }
}

function interfaceView(router: Router, port: Port, subnetIds: string[]): unknown {
  return {
    id: router.id,
    tenant_id: router.projectId,
    port_id: port.id,
    network_id: port.networkId,
    subnet_id: subnetIds.at(-1),
    subnet_ids: subnetIds,
  };
}
