import { randomBytes } from "node:crypto";
import { neutron } from "./errors.ts";
import { contains, hostRange, ipv4ToNumber, numberToIpv4, parseCidr } from "./ipv4.ts";
import type { FixedIp, NetworkTables, Subnet } from "./records.ts";

/** What a client asks of a port's addresses: a subnet, an address, or both. */
export interface FixedIpRequest {
  subnet_id?: string | undefined;
  ip_address?: string | undefined;
}

/**
 * Addresses for a new port. Without a request one address from the network's first subnet that has any left (none on a network
 * without subnets). Addresses that a client names need not lie in an allocation pool, as in Neutron.
 * @param owner the port's `device_owner`: subnets for other kinds of ports are not for it, those for its own come first
 * @param keep addresses that the port has already and may ask for again
 * @throws ApiError 400, 409
 */
export function allocateFixedIps(
  tables: NetworkTables,
  networkId: string,
  owner: string,
  requests: FixedIpRequest[] | undefined,
  keep: FixedIp[] = [],
): FixedIp[] {
  const subnets = candidates(tables, networkId, owner);
  const taken = takenAddresses(tables, subnets);
  for (const ip of keep) taken.delete(`${ip.subnetId} ${ip.ipAddress}`);
  const take = (subnet: Subnet, ipAddress: string): FixedIp => {
    taken.add(`${subnet.id} ${ipAddress}`);
    return { subnetId: subnet.id, ipAddress };
  };
  if (requests === undefined) {
    if (subnets.length === 0) return [];
    for (const subnet of subnets) {
      const free = firstFree(subnet, taken);
      if (free !== undefined) return [take(subnet, free)];
    }
    throw neutron.addressesExhausted(networkId);
  }
  return requests.map((request) => {
    const subnet = subnetFor(tables, subnets, networkId, request);
    const wanted = request.ip_address;
    if (wanted === undefined) {
      const free = firstFree(subnet, taken);
      if (free === undefined) throw neutron.addressesExhausted(networkId);
      return take(subnet, free);
    }
    if (!isHostAddress(subnet, wanted)) throw neutron.addressNotInSubnet(wanted);
    if (taken.has(`${subnet.id} ${wanted}`)) throw neutron.addressInUse(wanted, subnet.id);
    return take(subnet, wanted);
  });
}

function candidates(tables: NetworkTables, networkId: string, owner: string): Subnet[] {
  const all = tables.subnets.list((subnet) => subnet.networkId === networkId);
  const typesOf = ({ serviceTypes }: Subnet) => serviceTypes ?? [];
  const isForDhcp = (subnet: Subnet) => owner === "network:dhcp" && subnet.enableDhcp;
  const fitting = all.filter(
    (subnet) => typesOf(subnet).length === 0 || typesOf(subnet).includes(owner) || isForDhcp(subnet),
  );
  if (all.length > 0 && fitting.length === 0) throw neutron.noServiceSubnet(networkId, owner);
  return fitting.toSorted((a, b) => Number(typesOf(a).length === 0) - Number(typesOf(b).length === 0));
}

function subnetFor(tables: NetworkTables, subnets: Subnet[], networkId: string, request: FixedIpRequest): Subnet {
  if (request.subnet_id !== undefined) {
    const named = subnets.find((subnet) => subnet.id === request.subnet_id);
    if (named !== undefined) return named;
    if (tables.subnets.get(request.subnet_id) === undefined) throw neutron.subnetNotFound(request.subnet_id);
    throw neutron.invalidInput(
      `Failed to create port on network ${networkId}, because fixed_ips included invalid subnet ${request.subnet_id}`,
    );
  }
  if (request.ip_address === undefined) throw neutron.invalidInput("IP allocation requires subnet_id or ip_address");
  const holder = subnets.find((subnet) => isHostAddress(subnet, request.ip_address ?? ""));
  if (holder === undefined) throw neutron.addressNotInNetwork(request.ip_address);
  return holder;
}

function isHostAddress(subnet: Subnet, address: string): boolean {
  const range = parseCidr(subnet.cidr);
  const value = ipv4ToNumber(address);
  if (range === undefined || value === undefined || !contains(range, address)) return false;
  const { first, last } = hostRange(range);
  return value >= first && value <= last;
}

function takenAddresses(tables: NetworkTables, subnets: Subnet[]): Set<string> {
  const ids = new Set(subnets.map((subnet) => subnet.id));
  const ports = tables.ports.list((port) => port.fixedIps.some((ip) => ids.has(ip.subnetId)));
  return new Set(ports.flatMap((port) => port.fixedIps.map((ip) => `${ip.subnetId} ${ip.ipAddress}`)));
}

/** The lowest free address of the allocation pools. */
function firstFree(subnet: Subnet, taken: Set<string>): string | undefined {
  for (const pool of subnet.allocationPools) {
    const last = ipv4ToNumber(pool.end) ?? -1;
    for (let value = ipv4ToNumber(pool.start) ?? 0; value <= last; value++) {
      const address = numberToIpv4(value);
      if (!taken.has(`${subnet.id} ${address}`)) return address;
    }
  }
  return undefined;
}

/** A free MAC address with Neutron's prefix. */
export function newMac(tables: NetworkTables): string {
  const taken = new Set(tables.ports.list().map((port) => port.mac));
  for (;;) {
    const mac = `fa:16:3e:${[...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, "0")).join(":")}`;
    if (!taken.has(mac)) return mac;
  }
}
