import { ApiError } from "../http/api-error.ts";
import { pythonText } from "../http/python-repr.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { autoAddress, inOrder } from "./addresses.ts";
import { checkPools, defaultPools } from "./allocation-pools.ts";
import { attribute, standardAttributes, type Values } from "./attributes.ts";
import { neutron } from "./errors.ts";
import { bitsOf, type IpRange, ipText, knownRange, normalizeCidr, normalizeIp, versionOf } from "./ip.ts";
import { demandDhcpKept, demandModes, ipv6Modes, isAutoAddressed } from "./ipv6-modes.ts";
import {
  type AllocationPool,
  type Ipv6Mode,
  type NetworkTables,
  type Port,
  routerInterfaceOwners,
  type Subnet,
  type SubnetPool,
} from "./records.ts";
import { commonView, type NetworkResource, newRecord, revised } from "./resource.ts";
import { addGatewayAddresses } from "./routers.ts";
import { isExternalFor, isSharedNetwork, networkForNew } from "./sharing.ts";
import { allocateRange, defaultPool, demandPool } from "./subnet-allocation.ts";
import {
  demandAllocatableGateway,
  demandDhcpRange,
  demandGateway,
  demandLimits,
  demandNoOverlap,
  demandSamePool,
  demandVersion,
} from "./subnet-checks.ts";
import {
  type Converter,
  hostRoutes,
  ipAddress,
  isCidr,
  nameservers,
  nonNegative,
  normalRoutes,
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

const modes = oneOf(...ipv6Modes);

/** A range as it was sent, in its short form. @throws ApiError 400 */
function toCidr(value: unknown): unknown {
  const [address = "", given] = pythonText(value).split("/");
  const cidr = `${normalizeIp(address)}/${given ?? bitsOf(versionOf(address))}`;
  if (!isCidr(cidr)) throw neutron.invalidInput(`${pythonText(value)} is not in a CIDR format`);
  return cidr;
}

/** An address as it was sent, in its normal text. */
const toIp: Converter = (value) => (typeof value === "string" ? normalizeIp(value) : value);

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
  gateway_ip: attribute<string | null>("cufs", { validate: nullOr(ipAddress), convert: toIp }),
  allocation_pools: attribute<AllocationPool[]>("cu", { validate: pools }),
  dns_nameservers: attribute<string[]>("cu", { convert: nullToList, validate: nameservers }),
  host_routes: attribute<Subnet["hostRoutes"]>("cu", { convert: nullToList, validate: hostRoutes }),
  enable_dhcp: attribute<boolean>("cufs", { convert: toBoolean }),
  ipv6_ra_mode: attribute<Ipv6Mode>("cfs", { validate: modes }),
  ipv6_address_mode: attribute<Ipv6Mode>("cfs", { validate: modes }),
  shared: attribute<boolean>("f", { convert: toBoolean }),
  use_default_subnetpool: attribute<boolean>("c", { convert: toBoolean }),
  service_types: attribute<string[]>("cu", { convert: (value) => value || [], validate: serviceTypes }),
};

/** `/v2.0/subnets` */
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
    return network !== undefined && (isExternalFor(tables, network, scope) || isSharedNetwork(tables, network, scope));
  },

  // whoever has the network has the last word about what others, whom it is shared with, have cut it into
  mayAct: (tables, subnet, scope) => {
    const network = tables.networks.get(subnet.networkId);
    return network !== undefined && owns(scope, network.projectId);
  },

  view: (_tables, subnet) => ({
    id: subnet.id,
    name: subnet.name,
    network_id: subnet.networkId,
    ip_version: versionOf(subnet.cidr),
    subnetpool_id: subnet.poolId ?? null,
    enable_dhcp: subnet.enableDhcp,
    ipv6_ra_mode: subnet.ipv6RaMode ?? null,
    ipv6_address_mode: subnet.ipv6AddressMode ?? null,
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
    const version = body.ip_version === 6 ? 6 : 4;
    const pool = poolFor(tables, scope, body);
    if (pool === undefined && body.cidr === undefined) {
      throw neutron.bad("subnets", "a subnetpool must be specified in the absence of a cidr");
    }
    demandPoolsNamedWithRange(body, pool);
    if (pool !== undefined && versionOf(pool.prefixes[0] ?? "") !== version) {
      throw neutron.bad("subnets", `Cannot allocate IPv${version} subnet from IPv${version === 4 ? 6 : 4} subnet pool`);
    }
    demandVersion(body, version);
    const cidr =
      pool === undefined
        ? (normalizeCidr(body.cidr ?? "") ?? "")
        : allocateRange(tables, pool, { cidr: body.cidr, length: body.prefixlen, gatewayIp: body.gateway_ip });
    const range = knownRange(cidr);
    const enableDhcp = body.enable_dhcp ?? true;
    if (enableDhcp) demandDhcpRange(range);
    // without a word about it, a subnet gets a gateway, and one whose range a pool chooses in any case
    const isChosen = body.cidr === undefined;
    const usual = body.gateway_ip === undefined || isChosen ? usualGateway(range, isChosen) : null;
    const gatewayIp = body.gateway_ip ?? usual;
    if (body.gateway_ip) demandGateway(range, body.gateway_ip);
    demandLimits(body);
    if (version === 6) demandModes(body, range, enableDhcp);
    const named = body.allocation_pools?.map(normalPool) ?? [];
    const allocationPools = named.length > 0 ? named : defaultPools(cidr, gatewayIp); // an empty list names none
    checkPools(cidr, gatewayIp, allocationPools);
    demandAllocatableGateway(range, gatewayIp);
    demandNoOverlap(tables, network, cidr);
    demandSamePool(tables, network, version, pool);
    return {
      ...newRecord(scope, body),
      networkId: network.id,
      cidr,
      gatewayIp,
      enableDhcp,
      allocationPools,
      dnsNameservers: body.dns_nameservers ?? [],
      hostRoutes: normalRoutes(body.host_routes ?? []),
      poolId: pool?.id ?? null,
      serviceTypes: body.service_types ?? [],
      ...(version === 6 ? { ipv6RaMode: body.ipv6_ra_mode, ipv6AddressMode: body.ipv6_address_mode } : {}),
    };
  },

  created(tables, subnet) {
    if (tables.networks.get(subnet.networkId)?.external) addGatewayAddresses(tables, subnet);
    if (isAutoAddressed(subnet)) addAutoAddresses(tables, subnet);
  },

  update(tables, _scope, subnet, body) {
    const range = knownRange(subnet.cidr);
    if (body.enable_dhcp === true && !subnet.enableDhcp) demandDhcpRange(range);
    demandVersion(body, range.version);
    const gatewayIp = body.gateway_ip === undefined ? subnet.gatewayIp : body.gateway_ip;
    if (gatewayIp !== null && gatewayIp !== subnet.gatewayIp) {
      demandGateway(range, gatewayIp);
      const router = usersOf(tables, subnet).find(
        (port) => port.device?.kind === "router" && port.fixedIps.some((ip) => ip.ipAddress === subnet.gatewayIp),
      );
      if (router !== undefined) throw neutron.gatewayIpInUse(subnet.gatewayIp ?? "", router.id);
    }
    demandLimits(body, subnet.id);
    demandDhcpKept(subnet, body.enable_dhcp);
    const allocationPools = body.allocation_pools?.map(normalPool) ?? subnet.allocationPools;
    checkPools(subnet.cidr, gatewayIp, allocationPools);
    return revised(subnet, {
      name: body.name ?? subnet.name,
      description: body.description ?? subnet.description,
      gatewayIp,
      enableDhcp: body.enable_dhcp ?? subnet.enableDhcp,
      allocationPools,
      dnsNameservers: body.dns_nameservers ?? subnet.dnsNameservers,
      hostRoutes: body.host_routes === undefined ? subnet.hostRoutes : normalRoutes(body.host_routes),
      serviceTypes: body.service_types ?? subnet.serviceTypes ?? [],
    });
  },

  remove: removeSubnet,
};

type Body = Values<typeof attributes>;

function poolFor(tables: NetworkTables, scope: Scope, body: Body): SubnetPool | undefined {
  if (!body.use_default_subnetpool) return demandPool(tables, scope, body.subnetpool_id ?? null);
  if (body.subnetpool_id) {
    throw neutron.bad("subnets", "subnetpool_id and use_default_subnetpool cannot both be specified");
  }
  return defaultPool(tables, scope, body.cidr === undefined && body.ip_version === 6 ? 6 : versionOf(body.cidr ?? ""));
}

/** Who lets a pool choose the range cannot know what lies in it. */
function demandPoolsNamedWithRange({ cidr, allocation_pools }: Body, pool: SubnetPool | undefined): void {
  if (pool === undefined || cidr !== undefined || allocation_pools === undefined) return;
  throw neutron.bad("subnets", "allocation_pools allowed only for specific subnet requests.");
}

/** The address after the range's own, which a range of one has not; in IPv6 its own, unless a pool chose the range. */
function usualGateway({ version, first }: IpRange, isChosen: boolean): string {
  return ipText({ version, value: version === 6 && !isChosen ? first : first + 1n });
}

const normalPool = ({ start, end }: AllocationPool) => ({ start: normalizeIp(start), end: normalizeIp(end) });

const usersOf = (tables: NetworkTables, subnet: Subnet) =>
  tables.ports.list((port) => port.fixedIps.some((ip) => ip.subnetId === subnet.id));

/** Deletes a subnet that no port has an address of but what hosts gave themselves, which goes with it. @throws ApiError 409 */
export function removeSubnet(tables: NetworkTables, subnet: Subnet): void {
  const users = usersOf(tables, subnet);
  const isBound = (port: Port) => routerInterfaceOwners.includes(port.deviceOwner) || port.device?.kind === "router";
  const inUse = isAutoAddressed(subnet)
    ? users.some(isBound)
    : users.some(({ deviceOwner: owner }) => owner !== "network:dhcp");
  if (inUse) throw neutron.subnetInUse(subnet.id);
  for (const port of users) {
    tables.ports.put(revised(port, { fixedIps: port.fixedIps.filter(({ subnetId }) => subnetId !== subnet.id) }));
  }
  tables.subnets.delete(subnet.id);
}

/** The ports of the network give themselves addresses of its new subnet. */
function addAutoAddresses(tables: NetworkTables, subnet: Subnet): void {
  for (const port of tables.ports.list(({ networkId }) => networkId === subnet.networkId)) {
    const address = autoAddress(tables, { networkId: port.networkId, owner: port.deviceOwner, mac: port.mac }, subnet);
    if (address !== undefined) tables.ports.put(revised(port, { fixedIps: inOrder([...port.fixedIps, address]) }));
  }
}
