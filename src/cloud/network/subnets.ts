import { ApiError } from "../http/api-error.ts";
import { pythonText } from "../http/python-repr.ts";
import { attribute, standardAttributes, type Values } from "./attributes.ts";
import { neutron } from "./errors.ts";
import { contains, hostRange, ipv4ToNumber, normalizeCidr, numberToIpv4, overlaps, parseCidr } from "./ipv4.ts";
import type { AllocationPool, Network, NetworkTables, Subnet } from "./records.ts";
import { commonView, type NetworkResource, newRecord, revised } from "./resource.ts";
import { isSharedNetwork, networkForNew } from "./sharing.ts";
import { allocateRange, defaultPool, demandPool } from "./subnet-allocation.ts";
import {
  hostRoutes,
  ipAddress,
  isCidr,
  nameservers,
  nonNegative,
  nullOr,
  nullToList,
  oneOf,
  pools,
  subnet as subnetText,
  text,
  toBoolean,
  toInteger,
  uuid,
  type Validator,
} from "./validators.ts";

const modes = oneOf("dhcpv6-stateful", "dhcpv6-stateless", "slaac");

/** A range as it was sent, in its short form. @throws ApiError 400 */
function toCidr(value: unknown): unknown {
  const [address = "", length = "32"] = pythonText(value).split("/");
  const cidr = `${address}/${length}`;
  if (!isCidr(cidr)) throw neutron.invalidInput(`${pythonText(value)} is not in a CIDR format`);
  return cidr;
}

/** What Neutron takes for the beginning of a device's owner: of `compute:` each letter, by a slip of its own. */
const ownerBeginnings = ["network:", "neutron:", ..."compute:"];

const serviceTypes: Validator = (value) => {
  if (!Array.isArray(value)) throw neutron.badRequest("Subnet service types must be a list.");
  const wrong = value.find((type) => typeof type !== "string" || !ownerBeginnings.some((one) => type.startsWith(one)));
  if (wrong === undefined) return undefined;
  const isText = typeof wrong === "string";
  const words = `Subnet service type ${pythonText(wrong)} ${isText ? "does not correspond to a valid device owner" : "is not a string"}.`;
  throw new ApiError(400, words, isText ? "InvalidSubnetServiceType" : "InvalidInputSubnetServiceType");
};

const attributes = {
  ...standardAttributes,
  name: attribute<string>("cufs", { validate: text(255) }),
  ip_version: attribute<number>("crfs", { convert: toInteger, validate: oneOf(4, 6) }),
  network_id: attribute<string>("crfs", { validate: uuid }),
  subnetpool_id: attribute<string | null>("cfs", { validate: nullOr(uuid) }),
  prefixlen: attribute<number>("c", { convert: toInteger, validate: nonNegative }),
  cidr: attribute<string>("cfs", { convert: toCidr, validate: subnetText }),
  gateway_ip: attribute<string | null>("cufs", { validate: nullOr(ipAddress) }),
  allocation_pools: attribute<AllocationPool[]>("cu", { validate: pools }),
  dns_nameservers: attribute<string[]>("cu", { convert: nullToList, validate: nameservers }),
  host_routes: attribute<Subnet["hostRoutes"]>("cu", { convert: nullToList, validate: hostRoutes }),
  enable_dhcp: attribute<boolean>("cufs", { convert: toBoolean }),
  ipv6_ra_mode: attribute<string>("cfs", { validate: modes }),
  ipv6_address_mode: attribute<string>("cfs", { validate: modes }),
  shared: attribute<boolean>("f", { convert: toBoolean }),
  use_default_subnetpool: attribute<boolean>("c", { convert: toBoolean }),
  service_types: attribute<string[]>("cu", { convert: (value) => value || [], validate: serviceTypes }),
};

/** `/v2.0/subnets`; IPv4 only. */
export const subnets: NetworkResource<Subnet, typeof attributes> = {
  singular: "subnet",
  path: "subnets",
  quota: 100,
  attributes,
  table: (tables) => tables.subnets,
  notFound: neutron.subnetNotFound,
  isPublic: (tables, subnet, scope) => {
    const network = tables.networks.get(subnet.networkId);
    // the external range too, by which people on this machine tell what they open their hosts to
    return network !== undefined && (network.external || isSharedNetwork(tables, network, scope));
  },

  view: (_tables, subnet) => ({
    id: subnet.id,
    name: subnet.name,
    network_id: subnet.networkId,
    ip_version: 4,
    subnetpool_id: subnet.poolId ?? null,
    enable_dhcp: subnet.enableDhcp,
    ipv6_ra_mode: null,
    ipv6_address_mode: null,
    gateway_ip: subnet.gatewayIp,
    cidr: subnet.cidr,
    allocation_pools: subnet.allocationPools,
    host_routes: subnet.hostRoutes,
    dns_nameservers: subnet.dnsNameservers,
    service_types: subnet.serviceTypes ?? [],
    ...commonView(subnet),
  }),

  hidden: (tables, view) => ({ shared: tables.networks.get(String(view.network_id))?.shared ?? false }),

  demandPlace: (tables, scope, body) => networkForNew(tables, scope, body.network_id ?? "", "subnet"),

  create(tables, scope, body) {
    const network = networkForNew(tables, scope, body.network_id ?? "", "subnet");
    if (body.cidr !== undefined && body.prefixlen !== undefined) {
      throw neutron.bad("subnets", "cidr and prefixlen must not be supplied together");
    }
    const pool = body.use_default_subnetpool
      ? defaultPool(tables)
      : demandPool(tables, scope, body.subnetpool_id ?? null);
    if (pool === undefined && body.cidr === undefined) {
      throw neutron.bad("subnets", "a subnetpool must be specified in the absence of a cidr");
    }
    if (pool !== undefined && body.ip_version === 6) {
      throw neutron.bad("subnets", "Cannot allocate IPv6 subnet from IPv4 subnet pool");
    }
    demandIpv4(body);
    if (pool !== undefined) demandSamePool(tables, network, pool.id);
    const cidr =
      pool === undefined
        ? (normalizeCidr(body.cidr ?? "") ?? "")
        : allocateRange(tables, pool, { cidr: body.cidr, length: body.prefixlen, gatewayIp: body.gateway_ip });
    if (pool === undefined) demandSamePool(tables, network, null);
    demandDhcpRange(cidr, body.enable_dhcp ?? true);
    demandLimits(body);
    demandNoOverlap(tables, network, cidr);
    const range = parseCidr(cidr) ?? { first: 0, last: 0, prefix: 32 };
    // without a word about it, a subnet gets a gateway: its first address
    const gatewayIp = body.gateway_ip === undefined ? numberToIpv4(hostRange(range).first) : body.gateway_ip;
    demandGateway(cidr, gatewayIp);
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
      poolId: pool?.id ?? null,
      serviceTypes: body.service_types ?? [],
    };
  },

  update(tables, _scope, subnet, body) {
    demandLimits(body, subnet.id);
    const gatewayIp = body.gateway_ip === undefined ? subnet.gatewayIp : body.gateway_ip;
    if (gatewayIp !== subnet.gatewayIp) {
      const router = usersOf(tables, subnet).find(
        (port) => port.device?.kind === "router" && port.fixedIps.some((ip) => ip.ipAddress === subnet.gatewayIp),
      );
      if (router !== undefined) throw neutron.gatewayIpInUse(subnet.gatewayIp ?? "", router.id);
      demandGateway(subnet.cidr, gatewayIp);
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
      serviceTypes: body.service_types ?? subnet.serviceTypes ?? [],
    });
  },

  remove: removeSubnet,
};

/** Guests have no IPv6: anti-spoofing drops it, and there is no router that speaks it. */
function demandIpv4(body: Values<typeof attributes>): void {
  const isV6 = body.cidr?.includes(":") ?? body.ip_version === 6;
  if (body.cidr !== undefined && isV6 !== (body.ip_version === 6)) {
    throw neutron.invalidInput(`cidr '${body.cidr}' does not match the ip_version '${body.ip_version}'`);
  }
  if (body.ip_version === 6) throw neutron.invalidInput("this cloud has IPv4 subnets only");
  for (const mode of ["ipv6_ra_mode", "ipv6_address_mode"] as const) {
    if (body[mode] !== undefined) throw neutron.invalidInput(`${mode} is not valid when ip_version is 4`);
  }
  const addresses: [string, string | null | undefined][] = [
    ["gateway_ip", body.gateway_ip],
    ...(body.dns_nameservers ?? []).map((address): [string, string] => ["dns_nameserver", address]),
    ...(body.host_routes ?? []).map(({ destination }): [string, string] => ["destination", destination]),
    ...(body.host_routes ?? []).map(({ nexthop }): [string, string] => ["nexthop", nexthop]),
  ];
  for (const [name, address] of addresses) {
    if (address?.includes(":")) throw neutron.invalidInput(`${name} '${address}' does not match the ip_version '4'`);
  }
}

function demandDhcpRange(cidr: string, dhcp: boolean): void {
  const range = parseCidr(cidr);
  if (range === undefined || !dhcp) return;
  if (range.prefix > 30) {
    throw neutron.invalidInput("Subnet has a prefix length that is incompatible with DHCP service enabled");
  }
  if (range.first === 0) {
    throw neutron.invalidInput("First IP '0.0.0.0' of network is not supported if enable_dhcp is True.");
  }
  const firstOctet = Math.floor(range.first / 2 ** 24);
  if (firstOctet >= 224 && firstOctet < 240) {
    throw neutron.invalidInput("Multicast IP subnet is not supported if enable_dhcp is True");
  }
  if (firstOctet === 127) throw neutron.invalidInput("Loopback IP subnet is not supported if enable_dhcp is True");
}

function demandLimits(body: Values<typeof attributes>, id = "new subnet"): void {
  const name = `Unable to complete operation for ${id}. The number of`;
  if ((body.dns_nameservers?.length ?? 0) > 5) {
    throw neutron.tooMany(`${name} DNS nameservers exceeds the limit 5.`, "DNSNameServersExhausted");
  }
  if ((body.host_routes?.length ?? 0) > 20) {
    throw neutron.tooMany(`${name} host routes exceeds the limit 20.`, "HostRoutesExhausted");
  }
}

function demandSamePool(tables: NetworkTables, network: Network, poolId: string | null): void {
  const others = tables.subnets.list((subnet) => subnet.networkId === network.id);
  if (others.some((subnet) => (subnet.poolId ?? null) !== poolId)) throw neutron.poolAffinity();
}

function demandNoOverlap(tables: NetworkTables, network: Network, cidr: string): void {
  const range = parseCidr(cidr);
  for (const other of tables.subnets.list((subnet) => subnet.networkId === network.id)) {
    const taken = parseCidr(other.cidr);
    if (range !== undefined && taken !== undefined && overlaps(range, taken)) {
      throw neutron.invalidInput(
        `Requested subnet with cidr: ${cidr} for network: ${network.id} overlaps with another subnet`,
      );
    }
  }
}

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

/** A gateway is no address of the subnet that no host may have. One outside is none that guests reach here. */
function demandGateway(cidr: string, gatewayIp: string | null): void {
  const range = parseCidr(cidr);
  const value = gatewayIp === null ? undefined : ipv4ToNumber(gatewayIp);
  if (range === undefined || value === undefined) return;
  const { first, last } = hostRange(range);
  if (value < first || value > last) throw neutron.invalidInput("Gateway is not valid on subnet");
}

function checkPools(cidr: string, gatewayIp: string | null, allocationPools: AllocationPool[]): void {
  const range = parseCidr(cidr);
  if (range === undefined) return;
  const hosts = hostRange(range);
  const spans = allocationPools.map((pool) => ({
    name: `${pool.start}-${pool.end}`,
    from: ipv4ToNumber(pool.start) ?? -1,
    to: ipv4ToNumber(pool.end) ?? -1,
    pool,
  }));
  for (const { from, to, pool, name } of spans) {
    if (from < 0 || to < 0 || from > to) throw neutron.poolInvalid(pool);
    if (!contains(range, pool.start) || !contains(range, pool.end) || from < hosts.first || to > hosts.last) {
      throw neutron.poolOutOfBounds(name, cidr);
    }
  }
  for (const [index, one] of spans.entries()) {
    const other = spans.slice(index + 1).find((later) => one.from <= later.to && later.from <= one.to);
    if (other !== undefined) throw neutron.poolsOverlap(one.name, other.name, cidr);
  }
  const gateway = gatewayIp === null ? undefined : ipv4ToNumber(gatewayIp);
  const holder = spans.find(({ from, to }) => gateway !== undefined && gateway >= from && gateway <= to);
  if (holder !== undefined) throw neutron.gatewayInPool(gatewayIp ?? "", holder.name);
}
