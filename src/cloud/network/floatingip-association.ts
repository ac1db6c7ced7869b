import { owns, type Scope } from "../identity/scope.ts";
import { neutron } from "./errors.ts";
import { versionOf } from "./ip.ts";
import type { FixedIp, FloatingIp, NetworkTables, Port } from "./records.ts";
import { revised } from "./resource.ts";

/** What an associated floating IP leads to. */
export type Association = Pick<FloatingIp, "portId" | "fixedIp" | "routerId">;

export const unassociated: Association = { portId: null, fixedIp: null, routerId: null };

/**
 * Finds the way from a floating IP to a port: the port's address, and the router that has a leg in its subnet and a gateway on the
 * floating IP's network.
 * @throws ApiError 404 without such a router, 409 when the address has a floating IP already, 400 for an address that is not the port's
 */
export function associationTo(
  tables: NetworkTables,
  scope: Scope,
  floating: Pick<FloatingIp, "id" | "address" | "networkId">,
  portId: string,
  wantedIp: string | undefined,
): Association {
  const port = tables.ports.get(portId);
  if (port === undefined || !owns(scope, port.projectId)) throw neutron.portNotFound(portId);
  const ip = wantedIp === undefined ? onlyIpv4Of(port) : namedIpv4Of(port, wantedIp);
  const routerId = routerBetween(tables, ip.subnetId, floating.networkId);
  if (routerId === undefined) throw neutron.externalGatewayNotFound(floating.networkId, ip.subnetId, portId);
  if (tables.portForwardings.find(({ internalPortId }) => internalPortId === portId) !== undefined) {
    throw neutron.portHasForwarding(portId);
  }
  const rival = tables.floatingIps.find(
    (other) => other.id !== floating.id && other.portId === portId && other.fixedIp === ip.ipAddress,
  );
  if (rival !== undefined) {
    throw neutron.floatingIpTaken(floating.address, floating.id, portId, ip.ipAddress, floating.networkId);
  }
  return { portId, fixedIp: ip.ipAddress, routerId };
}

/** Floating IPs are of IPv4. */
function onlyIpv4Of({ id, fixedIps }: Port): FixedIp {
  const [ip, another] = fixedIps.filter(({ ipAddress }) => versionOf(ipAddress) === 4);
  if (ip === undefined) throw neutron.portWithoutAddress(id);
  if (another === undefined) return ip;
  throw neutron.bad(
    "floatingip",
    `Port ${id} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a floating IP`,
  );
}

function namedIpv4Of({ id, fixedIps }: Port, wanted: string): FixedIp {
  if (versionOf(wanted) !== 4) {
    throw neutron.bad(
      "floatingip",
      `Cannot process floating IP association with ${wanted}, since that is not an IPv4 address`,
    );
  }
  const ip = fixedIps.find(({ ipAddress }) => ipAddress === wanted);
  if (ip === undefined) throw neutron.bad("floatingip", `Port ${id} does not have fixed ip ${wanted}`);
  return ip;
}

/** The router that has a leg in the subnet and a gateway on the external network. */
export function routerBetween(tables: NetworkTables, subnetId: string, externalNetworkId: string): string | undefined {
  const legs = tables.ports.list(
    ({ device, fixedIps }) => device?.kind === "router" && fixedIps.some((ip) => ip.subnetId === subnetId),
  );
  return legs
    .map(({ device }) => tables.routers.get(device?.id ?? ""))
    .find((router) => router?.gateway?.networkId === externalNetworkId)?.id;
}

/** Takes every floating IP off a port that goes away. */
export function releaseFloatingIps(tables: NetworkTables, portId: Port["id"]): void {
  for (const floating of tables.floatingIps.list((item) => item.portId === portId)) {
    tables.floatingIps.put(revised(floating, unassociated));
  }
}
