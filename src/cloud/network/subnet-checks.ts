import { ApiError } from "../http/api-error.ts";
import { neutron } from "./errors.ts";
import { cidrText, type IpRange, type IpVersion, overlaps, parseCidr, parseIp, versionOf } from "./ip.ts";
import type { Network, NetworkTables, Subnet, SubnetPool } from "./records.ts";

/** What of a subnet may be of the wrong family. */
interface Asked {
  cidr?: string | undefined;
  gateway_ip?: string | null | undefined;
  dns_nameservers?: string[] | undefined;
  host_routes?: Subnet["hostRoutes"] | undefined;
  ipv6_ra_mode?: string | undefined;
  ipv6_address_mode?: string | undefined;
}

/** @throws ApiError 400 for addresses of the other family, and in IPv4 for IPv6's modes */
export function demandVersion(body: Asked, version: IpVersion): void {
  const addresses: [string, string | null | undefined][] = [
    ["cidr", body.cidr],
    ["gateway_ip", body.gateway_ip],
    ...(body.dns_nameservers ?? []).map((address): [string, string] => ["dns_nameserver", address]),
    ...(body.host_routes ?? []).flatMap(({ destination, nexthop }): [string, string][] => [
      ["nexthop", nexthop],
      ["destination", destination],
    ]),
  ];
  for (const [name, address] of addresses) {
    if (address && versionOf(address) !== version) {
      throw neutron.invalidInput(`${name} '${address}' does not match the ip_version '${version}'`);
    }
  }
  for (const mode of ["ipv6_ra_mode", "ipv6_address_mode"] as const) {
    if (version === 4 && body[mode] !== undefined) {
      throw neutron.invalidInput(`${mode} is not valid when ip_version is 4`);
    }
  }
}

/** @throws ApiError 400 for ranges that DHCP gives nothing of */
export function demandDhcpRange({ version, first, prefix }: IpRange): void {
  if (prefix > (version === 4 ? 30 : 126)) {
    throw neutron.invalidInput("Subnet has a prefix length that is incompatible with DHCP service enabled");
  }
  const [octet, isZero] = version === 4 ? [first >> 24n, first === 0n] : [first >> 120n, false];
  if (version === 4 ? octet >= 224n && octet < 240n : octet === 0xffn) {
    throw neutron.invalidInput("Multicast IP subnet is not supported if enable_dhcp is True");
  }
  if (version === 4 ? octet === 127n : first === 1n) {
    throw neutron.invalidInput("Loopback IP subnet is not supported if enable_dhcp is True");
  }
  if (isZero) throw neutron.invalidInput("First IP '0.0.0.0' of network is not supported if enable_dhcp is True.");
}

/** @throws ApiError 400 */
export function demandLimits(body: Pick<Asked, "dns_nameservers" | "host_routes">, id = "new subnet"): void {
  const name = `Unable to complete operation for ${id}. The number of`;
  if ((body.dns_nameservers?.length ?? 0) > 5) {
    throw neutron.tooMany(`${name} DNS nameservers exceeds the limit 5.`, "DNSNameServersExhausted");
  }
  if ((body.host_routes?.length ?? 0) > 20) {
    throw neutron.tooMany(`${name} host routes exceeds the limit 20.`, "HostRoutesExhausted");
  }
}

/** @throws ApiError 400 */
export function demandNoOverlap(tables: NetworkTables, network: Network, cidr: string): void {
  const range = parseCidr(cidr);
  if (range?.prefix === 0) throw neutron.invalidInput("0 is not allowed as CIDR prefix length");
  for (const other of tables.subnets.list((subnet) => subnet.networkId === network.id)) {
    const taken = parseCidr(other.cidr);
    if (range !== undefined && taken !== undefined && overlaps(range, taken)) {
      throw neutron.invalidInput(
        `Requested subnet with cidr: ${cidr} for network: ${network.id} overlaps with another subnet`,
      );
    }
  }
}

/**
 * The subnets of a family in one network come from one pool, or from pools of one address scope.
 * @throws ApiError 400
 */
export function demandSamePool(
  tables: NetworkTables,
  network: Network,
  version: IpVersion,
  pool: SubnetPool | undefined,
): void {
  const others = tables.subnets.list((subnet) => subnet.networkId === network.id && versionOf(subnet.cidr) === version);
  const scope = scopeOf(tables, others);
  if (scope !== null && pool !== undefined && pool.addressScopeId !== scope) throw neutron.scopeAffinity();
  const differs =
    pool === undefined
      ? others.some(({ poolId }) => poolId)
      : scope === null && others.some(({ poolId }) => poolId !== pool.id);
  if (differs) throw neutron.poolAffinity();
}

/** The address scope that subnets of one family lie in. */
export function scopeOf(tables: NetworkTables, subnets: Pick<Subnet, "poolId">[]): string | null {
  const pool = tables.subnetPools.get(subnets.find((subnet) => subnet.poolId)?.poolId ?? "");
  return pool?.addressScopeId ?? null;
}

/** A gateway in an IPv4 subnet is no address that no host may have. Of one outside, and of any in IPv6, nobody can tell. @throws ApiError 400 */
export function demandGateway(range: IpRange, gatewayIp: string): void {
  if (isReserved(range, gatewayIp)) throw neutron.invalidInput("Gateway is not valid on subnet");
}

/** The same of the gateway that a subnet gets without a word about it, which is asked for later. @throws ApiError 409 */
export function demandAllocatableGateway(range: IpRange, gatewayIp: string | null): void {
  if (gatewayIp === null || !isReserved(range, gatewayIp)) return;
  const words = `Gateway IP ${gatewayIp} cannot be allocated in CIDR ${cidrText(range)}`;
  throw new ApiError(409, words, "IpamValueInvalid");
}

function isReserved({ version, first, last }: IpRange, address: string): boolean {
  const ip = parseIp(address);
  return version === 4 && ip?.version === version && (ip.value === first || ip.value === last);
}
