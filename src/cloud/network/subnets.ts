import { isIPv4 } from "node:net";
import { z } from "zod";
import { booleanLike, parseBody } from "../http/body.ts";
import { owns } from "../identity/scope.ts";
import { neutron } from "./errors.ts";
import { contains, hostRange, ipv4ToNumber, normalizeCidr, numberToIpv4, overlaps, parseCidr } from "./ipv4.ts";
import type { AllocationPool, NetworkTables, Subnet } from "./records.ts";
import { commonView, type NetworkResource, newRecord, revised } from "./resource.ts";

const address = z.string().refine(isIPv4, "is not a valid IPv4 address");
const route = z.strictObject({ destination: z.string(), nexthop: address });
const pool = z.strictObject({ start: address, end: address });
const fields = {
  name: z.string().max(255).optional(),
  description: z.string().max(255).optional(),
  gateway_ip: address.nullable().optional(),
  enable_dhcp: booleanLike.optional(),
  allocation_pools: z.array(pool).optional(),
  dns_nameservers: z.array(address).max(5).optional(),
  host_routes: z.array(route).max(20).optional(),
};
const createBody = z.strictObject({
  ...fields,
  tenant_id: z.string().optional(),
  project_id: z.string().optional(),
  network_id: z.string(),
  cidr: z.string(),
  ip_version: z.coerce.number().int().default(4),
  service_types: z.array(z.string()).max(0).optional(),
});
const updateBody = z.strictObject(fields);

/** `/v2.0/subnets`; IPv4 only. */
export const subnets: NetworkResource<Subnet> = {
  singular: "subnet",
  path: "subnets",
  quota: 100,
  table: (tables) => tables.subnets,
  notFound: neutron.subnetNotFound,
  isPublic: (tables, subnet) => {
    const network = tables.networks.get(subnet.networkId);
    return network?.shared === true || network?.external === true;
  },

  view: (_tables, subnet) => ({
    id: subnet.id,
    name: subnet.name,
    network_id: subnet.networkId,
    ip_version: 4,
    subnetpool_id: null,
    enable_dhcp: subnet.enableDhcp,
    ipv6_ra_mode: null,
    ipv6_address_mode: null,
    gateway_ip: subnet.gatewayIp,
    cidr: subnet.cidr,
    allocation_pools: subnet.allocationPools,
    host_routes: subnet.hostRoutes,
    dns_nameservers: subnet.dnsNameservers,
    service_types: [],
    ...commonView(subnet),
  }),

  create(tables, scope, input) {
    const body = parseBody(createBody, input);
    const network = tables.networks.get(body.network_id);
    if (network === undefined || !owns(scope, network.projectId)) throw neutron.networkNotFound(body.network_id);
    if (body.ip_version !== 4) throw neutron.invalidInput("this cloud has IPv4 subnets only");
    const cidr = normalizeCidr(body.cidr);
    const range = parseCidr(body.cidr);
    if (cidr === undefined || range === undefined) {
      throw neutron.badRequest(`Invalid input for cidr. Reason: '${body.cidr}' is not a valid IP subnet.`);
    }
    for (const other of tables.subnets.list((subnet) => subnet.networkId === network.id)) {
      const taken = parseCidr(other.cidr);
      if (taken !== undefined && overlaps(range, taken)) {
        throw neutron.invalidInput(
          `Requested subnet with cidr: ${cidr} for network: ${network.id} overlaps with another subnet`,
        );
      }
    }
    // without a word about it, a subnet gets a gateway: its first address
    const gatewayIp = body.gateway_ip === undefined ? numberToIpv4(hostRange(range).first) : body.gateway_ip;
    const allocationPools = body.allocation_pools ?? defaultPools(cidr, gatewayIp);
    checkPools(cidr, gatewayIp, allocationPools);
    return {
      ...newRecord(scope, body),
      networkId: network.id,
      cidr,
      gatewayIp,
      enableDhcp: body.enable_dhcp ?? true,
      allocationPools,
      dnsNameservers: body.dns_nameservers ?? [],
      hostRoutes: body.host_routes ?? [],
    };
  },

  update(tables, _scope, subnet, input) {
    const body = parseBody(updateBody, input);
    const gatewayIp = body.gateway_ip === undefined ? subnet.gatewayIp : body.gateway_ip;
    if (
      gatewayIp !== subnet.gatewayIp &&
      usersOf(tables, subnet).some((port) => port.deviceOwner.startsWith("network:"))
    ) {
      throw neutron.subnetInUse(subnet.id);
    }
    const allocationPools = body.allocation_pools ?? subnet.allocationPools;
    checkPools(subnet.cidr, gatewayIp, allocationPools);
    return revised(subnet, {
      name: body.name ?? subnet.name,
      description: body.description ?? subnet.description,
      gatewayIp,
      enableDhcp: body.enable_dhcp ?? subnet.enableDhcp,
      allocationPools,
      dnsNameservers: body.dns_nameservers ?? subnet.dnsNameservers,
      hostRoutes: body.host_routes ?? subnet.hostRoutes,
    });
  },

  remove: removeSubnet,
};

const usersOf = (tables: NetworkTables, subnet: Subnet) =>
  tables.ports.list((port) => port.fixedIps.some((ip) => ip.subnetId === subnet.id));

/** Deletes a subnet that no port has an address of. */
export function removeSubnet(tables: NetworkTables, subnet: Subnet): void {
  if (usersOf(tables, subnet).length > 0) throw neutron.subnetInUse(subnet.id);
  tables.subnets.delete(subnet.id);
}

/** All host addresses but the gateway, which cuts the range in two unless it lies at an end. */
export function defaultPools(cidr: string, gatewayIp: string | null): AllocationPool[] {
  const range = parseCidr(cidr);
  if (range === undefined) return [];
  const { first, last } = hostRange(range);
  const gateway = gatewayIp === null ? undefined : ipv4ToNumber(gatewayIp);
  const parts =
    gateway === undefined || gateway < first || gateway > last
      ? [[first, last] as const]
      : [[first, gateway - 1] as const, [gateway + 1, last] as const];
  return parts
    .filter(([start, end]) => start <= end)
    .map(([start, end]) => ({ start: numberToIpv4(start), end: numberToIpv4(end) }));
}

function checkPools(cidr: string, gatewayIp: string | null, pools: AllocationPool[]): void {
  const range = parseCidr(cidr);
  if (range === undefined) return;
  if (gatewayIp !== null && !contains(range, gatewayIp)) {
    throw neutron.invalidInput(`Gateway ${gatewayIp} is not valid on subnet ${cidr}`);
  }
  for (const { start, end } of pools) {
    const [from, to] = [ipv4ToNumber(start) ?? 0, ipv4ToNumber(end) ?? 0];
    if (!contains(range, start) || !contains(range, end) || from > to) {
      throw neutron.badRequest(`The allocation pool ${start}-${end} spans beyond the subnet cidr ${cidr}.`);
    }
    const gateway = gatewayIp === null ? undefined : ipv4ToNumber(gatewayIp);
    if (gateway !== undefined && gateway >= from && gateway <= to) {
      throw neutron.gatewayInPool(gatewayIp ?? "", `${start}-${end}`);
    }
  }
}
