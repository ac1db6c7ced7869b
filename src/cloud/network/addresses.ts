import { randomBytes } from "node:crypto";
import { neutron } from "./errors.ts";
import { contains, eui64Address, hostRange, ipText, knownRange, normalizeIp, parseIp, versionOf } from "./ip.ts";
import { isAutoAddressed } from "./ipv6-modes.ts";
import { deviceOwner, type FixedIp, type NetworkTables, routerInterfaceOwners, type Subnet } from "./records.ts";

/** What a client asks of a port's addresses: a subnet, an address, or both. */
export interface FixedIpRequest {
  subnet_id?: string | undefined;
  ip_address?: string | undefined;
  /** At a change: the port shall have no address of this subnet, also not the one that it gives itself. */
  delete_subnet?: unknown;
}

/** The port that addresses are for. */
export interface Holder {
  networkId: string;
  /** Its `device_owner`: subnets for other kinds of ports are not for it, those for its own come first. */
  owner: string;
  mac: string;
}

/**
 * Addresses for a new port, in the order of their texts as Neutron tells them. Without a request one address of each family, from the network's
 * first subnet that has any left (none on a network without subnets). Addresses that a client names need not lie in an allocation pool, as
 * in Neutron. Whatever is asked, the port has the addresses that hosts give themselves in subnets with SLAAC.
 * @throws ApiError 400, 409
 */
export function allocateFixedIps(
  tables: NetworkTables,
  holder: Holder,
  requests: FixedIpRequest[] | undefined,
): FixedIp[] {
  const subnets = candidates(tables, holder);
  const stock = new Stock(tables, subnets, []);
  return inOrder([
    ...(requests === undefined
      ? usualAddresses(subnets, stock, holder)
      : askedAddresses(tables, subnets, stock, holder, requests)),
    ...autoSubnetsFor(subnets, holder).map((subnet) => stock.named(subnet, ownAddress(subnet, holder))),
  ]);
}

/**
 * The addresses of a port after a change: what is asked for, where it can be of those that the port has, and what hosts give themselves.
 * @param holder with the MAC address that the port has then
 * @throws ApiError 400, 409
 */
export function changeFixedIps(
  tables: NetworkTables,
  holder: Holder,
  before: FixedIp[],
  requests: FixedIpRequest[],
): FixedIp[] {
  const subnets = candidates(tables, holder);
  const unwanted = new Set(requests.filter((one) => one.delete_subnet).map(({ subnet_id: id }) => id));
  const autos = autoSubnetsFor(subnets, holder);
  const asked = requests.filter(({ subnet_id: id }) => id === undefined || !unwanted.has(id));
  const kept: FixedIp[] = [];
  const added: FixedIpRequest[] = [];
  const left = [...before];
  const claim = (matches: (ip: FixedIp) => boolean) => {
    const at = left.findIndex(matches);
    return at === -1 ? undefined : left.splice(at, 1)[0];
  };
  for (const request of asked.toSorted(namedFirst)) {
    const { subnet_id: subnetId, ip_address: address } = request;
    const found =
      address === undefined
        ? claim((ip) => ip.subnetId === subnetId)
        : claim((ip) => ip.ipAddress === normalizeIp(address));
    if (found === undefined) added.push(request);
    else if (!autos.some(({ id }) => id === found.subnetId)) kept.push(found);
  }
  const stock = new Stock(tables, subnets, before);
  for (const ip of kept) stock.reserve(ip);
  return inOrder([
    ...kept,
    ...askedAddresses(tables, subnets, stock, holder, added),
    ...autos.filter(({ id }) => !unwanted.has(id)).map((subnet) => stock.named(subnet, ownAddress(subnet, holder))),
  ]);
}

/** The address that a port gives itself in a new subnet with SLAAC; undefined where the subnet is not for it, or somebody has the address. */
export function autoAddress(tables: NetworkTables, holder: Holder, subnet: Subnet): FixedIp | undefined {
  const isForIt = fittingSubnets([subnet], holder).some((one) => autoSubnetsFor([one], holder).length > 0);
  if (!isForIt) return undefined;
  const ipAddress = ownAddress(subnet, holder);
  const isTaken = tables.ports.find(({ fixedIps }) =>
    fixedIps.some((ip) => ip.subnetId === subnet.id && ip.ipAddress === ipAddress),
  );
  return isTaken === undefined ? { subnetId: subnet.id, ipAddress } : undefined;
}

/** In the order in which Neutron keeps them. */
export const inOrder = (ips: FixedIp[]): FixedIp[] =>
  ips.toSorted((a, b) => (a.ipAddress < b.ipAddress ? -1 : Number(a.ipAddress > b.ipAddress)));

/** What is free in some subnets, less what was taken of it by and by. */
class Stock {
  readonly #taken: Set<string>;

  /** @param own what the port itself has and may ask for again */
  constructor(tables: NetworkTables, subnets: Subnet[], own: FixedIp[]) {
    this.#taken = takenAddresses(tables, subnets);
    for (const ip of own) this.#taken.delete(keyOf(ip));
  }

  reserve(ip: FixedIp): FixedIp {
    this.#taken.add(keyOf(ip));
    return ip;
  }

  named(subnet: Subnet, ipAddress: string): FixedIp {
    const ip = { subnetId: subnet.id, ipAddress };
    if (!contains(knownRange(subnet.cidr), ipAddress)) throw neutron.addressNotInSubnet(ipAddress);
    if (this.#taken.has(keyOf(ip))) throw neutron.addressInUse(ipAddress, subnet.id);
    return this.reserve(ip);
  }

  /** The lowest free address of the first subnet that has any. @throws ApiError 409 */
  any(subnets: Subnet[], networkId: string): FixedIp {
    for (const subnet of subnets) {
      const ipAddress = this.#lowest(subnet);
      if (ipAddress !== undefined) return this.reserve({ subnetId: subnet.id, ipAddress });
    }
    throw neutron.addressesExhausted(networkId);
  }

  #lowest(subnet: Subnet): string | undefined {
    for (const pool of subnet.allocationPools) {
      const [start, end] = [parseIp(pool.start), parseIp(pool.end)];
      if (start === undefined || end === undefined) continue;
      for (let { version, value } = start; value <= end.value; value++) {
        const ipAddress = ipText({ version, value });
        if (!this.#taken.has(keyOf({ subnetId: subnet.id, ipAddress }))) return ipAddress;
      }
    }
    return undefined;
  }
}

const keyOf = ({ subnetId, ipAddress }: FixedIp) => `${subnetId} ${ipAddress}`;

const namedFirst = (a: FixedIpRequest, b: FixedIpRequest) =>
  Number(a.ip_address === undefined) - Number(b.ip_address === undefined);

function usualAddresses(subnets: Subnet[], stock: Stock, { networkId }: Holder): FixedIp[] {
  const given = subnets.filter((subnet) => !isAutoAddressed(subnet));
  return ([4, 6] as const)
    .map((version) => given.filter(({ cidr }) => versionOf(cidr) === version))
    .filter((choice) => choice.length > 0)
    .map((choice) => stock.any(choice, networkId));
}

function askedAddresses(
  tables: NetworkTables,
  subnets: Subnet[],
  stock: Stock,
  holder: Holder,
  requests: FixedIpRequest[],
): FixedIp[] {
  const read = requests.map((request) => {
    const subnet = subnetFor(tables, subnets, holder, request);
    const address = request.ip_address === undefined ? undefined : normalizeIp(request.ip_address);
    const isOwn = isAutoAddressed(subnet) && !isRouters(holder);
    if (isOwn && address !== undefined) throw neutron.addressOnAutoSubnet(address, subnet.id);
    return { subnet, address, isOwn };
  });
  return read
    .filter(({ isOwn }) => !isOwn)
    .toSorted((a, b) => Number(a.address === undefined) - Number(b.address === undefined))
    .map(({ subnet, address }) =>
      address === undefined ? stock.any([subnet], holder.networkId) : stock.named(subnet, address),
    );
}

/** Routers have the addresses that they are given. */
const isRouters = ({ owner }: Holder) => routerInterfaceOwners.includes(owner);

const autoSubnetsFor = (subnets: Subnet[], holder: Holder) =>
  isRouters(holder) ? [] : subnets.filter(isAutoAddressed);

const ownAddress = (subnet: Subnet, { mac }: Holder) => eui64Address(knownRange(subnet.cidr), mac);

function candidates(tables: NetworkTables, holder: Holder): Subnet[] {
  const all = tables.subnets.list((subnet) => subnet.networkId === holder.networkId);
  const fitting = fittingSubnets(all, holder);
  if (all.length > 0 && fitting.length === 0) throw neutron.noServiceSubnet(holder.networkId, holder.owner);
  return fitting;
}

function fittingSubnets(subnets: Subnet[], { owner }: Holder): Subnet[] {
  const typesOf = ({ serviceTypes }: Subnet) => serviceTypes ?? [];
  const isForDhcp = (subnet: Subnet) => owner === "network:dhcp" && subnet.enableDhcp;
  return subnets
    .filter((subnet) => typesOf(subnet).length === 0 || typesOf(subnet).includes(owner) || isForDhcp(subnet))
    .toSorted((a, b) => Number(typesOf(a).length === 0) - Number(typesOf(b).length === 0));
}

function subnetFor(tables: NetworkTables, subnets: Subnet[], holder: Holder, request: FixedIpRequest): Subnet {
  const { subnet_id: subnetId, ip_address: address } = request;
  if (subnets.length === 0) throw neutron.invalidInput("IP allocation requires subnets for network");
  if (subnetId !== undefined) {
    const named = subnets.find((subnet) => subnet.id === subnetId);
    if (named !== undefined) {
      if (address !== undefined && !isHostAddress(named, address, holder)) throw neutron.addressNotInSubnet(address);
      return named;
    }
    if (tables.subnets.get(subnetId) === undefined) throw neutron.subnetNotFound(subnetId);
    throw neutron.invalidInput(
      `Failed to create port on network ${holder.networkId}, because fixed_ips included invalid subnet ${subnetId}`,
    );
  }
  if (address === undefined) throw neutron.invalidInput("IP allocation requires subnet_id or ip_address");
  const inside = subnets.find((subnet) => isHostAddress(subnet, address, holder));
  if (inside === undefined) throw neutron.addressNotInNetwork(address);
  return inside;
}

/** In IPv6 the first address is the routers' (subnet-router anycast); Neutron refuses it only to ports whose owner is known to be none. */
function isHostAddress(subnet: Subnet, address: string, holder: Holder): boolean {
  const range = knownRange(subnet.cidr);
  const ip = parseIp(address);
  if (ip === undefined || !contains(range, address)) return false;
  const mayBeFirst = isRouters(holder) || holder.owner === "" || holder.owner === (deviceOwner.routerGateway as string);
  if (range.version === 6 && mayBeFirst) return true;
  const { first, last } = hostRange(range);
  return ip.value >= first && ip.value <= last;
}

function takenAddresses(tables: NetworkTables, subnets: Subnet[]): Set<string> {
  const ids = new Set(subnets.map((subnet) => subnet.id));
  const ports = tables.ports.list((port) => port.fixedIps.some((ip) => ids.has(ip.subnetId)));
  return new Set(ports.flatMap((port) => port.fixedIps.map(keyOf)));
}

/** A free MAC address with Neutron's prefix. */
export function newMac(tables: NetworkTables): string {
  const taken = new Set(tables.ports.list().map((port) => port.mac));
  for (;;) {
    const mac = `fa:16:3e:${[...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, "0")).join(":")}`;
    if (!taken.has(mac)) return mac;
  }
}
