import { randomUUID } from "node:crypto";
import { ApiError } from "../http/api-error.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { allocateFixedIps, newMac } from "../network/addresses.ts";
import { contains, parseCidr, versionOf } from "../network/ip.ts";
import { networks } from "../network/networks.ts";
import { removePort, unbindPort, userOf } from "../network/ports.ts";
import { deviceOwner, type NetworkTables, type Port } from "../network/records.ts";
import { isVisible, newInternalRecord, revised } from "../network/resource.ts";
import { openRule } from "../network/security-groups.ts";
import { octavia } from "./errors.ts";
import type { Listener, LoadBalancer } from "./records.ts";
import type { AskedLoadBalancer } from "./schemas.ts";
import { seenSubnet } from "./seen-subnet.ts";

/** Where a balancer takes connections. */
export type Vip = Pick<
  LoadBalancer,
  "vip_address" | "vip_port_id" | "vip_subnet_id" | "vip_network_id" | "ownsPort" | "securityGroupId"
>;

/**
 * Takes or makes the port of a new balancer, in the network, subnet or port that was asked for, with a security group of its own that
 * lets in what its listeners take.
 * @throws ApiError 400, 404, 409 in Octavia's and Neutron's words
 */
export function takeVip(
  tables: NetworkTables,
  scope: Scope,
  balancer: { id: string; name: string; projectId: string },
  asked: AskedLoadBalancer,
): Vip {
  const port = asked.vip_port_id ? givenPort(tables, scope, asked) : madePort(tables, scope, balancer, asked);
  const group = tables.securityGroups.put({
    ...newInternalRecord(""), // nobody but administrators sees it, as it is with Octavia's
    name: `lb-${balancer.id}`,
    stateful: true,
  });
  for (const ethertype of ["IPv4", "IPv6"] as const) {
    tables.securityGroupRules.put(openRule(group, "egress", ethertype));
  }
  const subnetId = asked.vip_subnet_id ?? port.fixedIps[0]?.subnetId;
  const fixedIp = port.fixedIps.find((ip) =>
    asked.vip_address ? ip.ipAddress === asked.vip_address : ip.subnetId === subnetId,
  );
  if (fixedIp === undefined) {
    throw octavia.invalid(
      asked.vip_address
        ? "Specified VIP address not found on the specified VIP port."
        : "No VIP address found on the specified VIP port within the specified subnet.",
    );
  }
  if (versionOf(fixedIp.ipAddress) === 6) throw octavia.invalid("VIPs of this cloud have IPv4 addresses.");
  tables.ports.put(
    revised(port, {
      ...{ deviceOwner: deviceOwner.balancer, deviceId: `lb-${balancer.id}`, status: "ACTIVE" },
      device: { kind: "balancer", id: balancer.id },
      securityGroupIds: port.portSecurityEnabled ? [...port.securityGroupIds, group.id] : [],
    }),
  );
  return {
    vip_address: fixedIp.ipAddress,
    vip_port_id: port.id,
    vip_subnet_id: fixedIp.subnetId,
    vip_network_id: port.networkId,
    ownsPort: !asked.vip_port_id,
    securityGroupId: group.id,
  };
}

/** Lets in what the listeners take, from where they take it, and nothing else. */
export function openListenerPorts(tables: NetworkTables, balancer: LoadBalancer, listeners: readonly Listener[]): void {
  const group = tables.securityGroups.get(balancer.securityGroupId);
  if (group === undefined) return;
  for (const rule of tables.securityGroupRules.list(
    (one) => one.securityGroupId === group.id && one.direction === "ingress",
  )) {
    tables.securityGroupRules.delete(rule.id);
  }
  for (const { protocol_port: port, allowed_cidrs } of listeners) {
    for (const remoteIpPrefix of allowed_cidrs ?? [null]) {
      const parts = { protocol: "tcp", portRangeMin: port, portRangeMax: port, remoteIpPrefix, isGroupsOwn: false };
      tables.securityGroupRules.put({ ...openRule(group, "ingress", "IPv4"), ...parts });
    }
  }
}

/** Gives a port that somebody brought back, and removes one that was made; the group goes. */
export function removeVip(tables: NetworkTables, balancer: LoadBalancer): void {
  const port = tables.ports.get(balancer.vip_port_id);
  if (port !== undefined && balancer.ownsPort) removePort(tables, port);
  if (port !== undefined && !balancer.ownsPort) {
    const securityGroupIds = port.securityGroupIds.filter((id) => id !== balancer.securityGroupId);
    unbindPort(tables, { ...port, securityGroupIds });
  }
  for (const rule of tables.securityGroupRules.list((one) => one.securityGroupId === balancer.securityGroupId)) {
    tables.securityGroupRules.delete(rule.id);
  }
  tables.securityGroups.delete(balancer.securityGroupId);
}

function givenPort(tables: NetworkTables, scope: Scope, asked: AskedLoadBalancer): Port {
  const id = asked.vip_port_id ?? "";
  const port = tables.ports.get(id);
  if (port === undefined || !owns(scope, port.projectId)) throw octavia.invalidSubresource("Port", id);
  const user = userOf(port);
  if (user !== undefined) throw octavia.invalid(`Port ${port.id} is already used by device ${user} `);
  demandTenantNetwork(tables, port.networkId);
  if (asked.vip_subnet_id || asked.vip_address || port.fixedIps.length === 1) return port;
  throw octavia.invalid("VIP port's subnet could not be determined. Please specify either a VIP subnet or address.");
}

function madePort(
  tables: NetworkTables,
  scope: Scope,
  { id, projectId }: { id: string; projectId: string },
  asked: AskedLoadBalancer,
): Port {
  const subnet = subnetFor(tables, scope, asked);
  demandTenantNetwork(tables, subnet.networkId);
  const request = { subnet_id: subnet.id, ...(asked.vip_address ? { ip_address: asked.vip_address } : {}) };
  const mac = newMac(tables);
  const portSecurityEnabled = tables.networks.get(subnet.networkId)?.portSecurityEnabled ?? true;
  return tables.ports.put({
    ...newInternalRecord(projectId),
    name: `octavia-lb-${id}`,
    networkId: subnet.networkId,
    mac,
    adminStateUp: true,
    status: "DOWN",
    deviceId: "",
    deviceOwner: "",
    fixedIps: byProvider(() =>
      allocateFixedIps(tables, { networkId: subnet.networkId, owner: deviceOwner.balancer, mac }, [request]),
    ),
    securityGroupIds: [],
    portSecurityEnabled,
    allowedAddressPairs: [],
    extraDhcpOpts: [],
  });
}

/** What Neutron refuses its provider, Octavia takes for the provider's failure. @throws ApiError 500 */
function byProvider<T>(ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw octavia.providerFailed(`${error.message}\nNeutron server returns request_ids: ['req-${randomUUID()}']`);
  }
}

function subnetFor(tables: NetworkTables, scope: Scope, asked: AskedLoadBalancer) {
  const { vip_network_id: networkId, vip_subnet_id: subnetId, vip_address: address } = asked;
  if (!networkId && !subnetId) {
    throw octavia.invalid("VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.");
  }
  const network = tables.networks.get(networkId ?? "");
  if (networkId && (network === undefined || !isVisible(networks, tables, scope, network))) {
    throw octavia.invalidSubresource("Network", networkId);
  }
  if (subnetId) {
    const subnet = seenSubnet(tables, scope, subnetId);
    if (networkId && subnet.networkId !== networkId) throw octavia.invalidSubresource("Subnet", subnetId);
    return subnet;
  }
  const subnets = tables.subnets.list((subnet) => subnet.networkId === networkId);
  const inside = subnets.find(({ cidr }) => {
    const range = parseCidr(cidr);
    return (!address && range?.version === 4) || (address && range !== undefined && contains(range, address));
  });
  if (inside !== undefined) return inside;
  throw octavia.invalid(
    address
      ? "Supplied network does not contain a subnet for VIP address specified."
      : "Supplied network does not contain a subnet.",
  );
}

/** The external network ends at routers: nothing could be plugged into it. */
function demandTenantNetwork(tables: NetworkTables, networkId: string): void {
  if (!tables.networks.get(networkId)?.external) return;
  throw octavia.invalid("Supplied VIP network_id is not allowed by the configuration of this deployment.");
}
