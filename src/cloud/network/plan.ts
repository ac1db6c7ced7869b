import type {
  NetworkingPlan,
  PortForwardingPlan,
  PortPlan,
  RouterPlan,
  SecurityRulePlan,
  SubnetPlan,
} from "./dataplane.ts";
import { bitsOf, gatewayInside, isRoutersOwn, normalizeIp, versionOf } from "./ip.ts";
import { nicNumbers } from "./ports.ts";
import { protocolNumber } from "./protocols.ts";
import { isOutside } from "./provider-segments.ts";
import type { FloatingIp, NetworkTables, Port, Router, SecurityGroupRule, Subnet } from "./records.ts";
import { gatewayAddress, interfacesOf } from "./routers.ts";

/**
 * What the data plane shall look like, computed from Neutron's tables alone. The external network is the data plane's own; other networks that are
 * called external lead nowhere, and carry what is plugged into them.
 */
export function networkingPlan(tables: NetworkTables): NetworkingPlan {
  const tenantNetworks = tables.networks.list((network) => !(network.external && isOutside(network)));
  const tenantIds = new Set(tenantNetworks.map((network) => network.id));
  return {
    networks: tenantNetworks.map((network) => ({
      id: network.id,
      mtu: network.mtu,
      subnets: tables.subnets.list((subnet) => subnet.networkId === network.id).map(subnetPlan),
    })),
    routers: tables.routers.list().map((router) => routerPlan(tables, router)),
    ports: tables.ports
      .list((port) => tenantIds.has(port.networkId) && port.device?.kind !== "router")
      .map((port) => portPlan(tables, port)),
    securityGroups: tables.securityGroups.list().map((group) => ({
      id: group.id,
      rules: tables.securityGroupRules
        .list((rule) => rule.securityGroupId === group.id)
        .flatMap((rule) => rulePlans(tables, rule)),
    })),
  };
}

function subnetPlan({ id, cidr, gatewayIp, ...subnet }: Subnet): SubnetPlan {
  if (versionOf(cidr) === 4) return { id, cidr, gatewayIp: gatewayInside({ cidr, gatewayIp }) };
  const { ipv6RaMode: raMode = null, ipv6AddressMode: addressMode = null, dnsNameservers: nameServers } = subnet;
  return { id, cidr, gatewayIp, ipv6: { raMode, addressMode, nameServers } };
}

/** A rule for an address group is one for each of its ranges. */
function rulePlans(tables: NetworkTables, rule: SecurityGroupRule): SecurityRulePlan[] {
  const { remoteAddressGroupId } = rule;
  const cidrs =
    remoteAddressGroupId === null || remoteAddressGroupId === undefined
      ? [rule.remoteIpPrefix]
      : (tables.addressGroups.get(remoteAddressGroupId)?.addresses ?? []);
  return cidrs.map((remoteCidr) => ({
    direction: rule.direction,
    ethertype: rule.ethertype,
    protocol: rule.protocol === null ? null : String(protocolNumber(rule.protocol)),
    portMin: rule.portRangeMin,
    portMax: rule.portRangeMax,
    remoteCidr,
    remoteGroupId: rule.remoteGroupId,
  }));
}

function routerPlan(tables: NetworkTables, router: Router): RouterPlan {
  const up = router.adminStateUp;
  const leadsOut = (networkId: string | undefined) => {
    const network = tables.networks.get(networkId ?? "");
    return up && network !== undefined && isOutside(network);
  };
  const floatingIps = tables.floatingIps.list(
    (floating) => floating.routerId === router.id && leadsOut(floating.networkId),
  );
  return {
    id: router.id,
    externalIp: leadsOut(router.gateway?.networkId) ? gatewayAddress(tables, router.gateway) : null,
    enableSnat: router.gateway?.enableSnat ?? false,
    interfaces: (up ? interfacesOf(tables, router.id) : []).flatMap((leg) =>
      leg.fixedIps
        .filter(({ ipAddress }) => isRoutersOwn(ipAddress))
        .map((ip) => ({
          networkId: leg.networkId,
          ip: ip.ipAddress,
          cidr: tables.subnets.get(ip.subnetId)?.cidr ?? `${ip.ipAddress}/${bitsOf(versionOf(ip.ipAddress))}`,
        })),
    ),
    floatingIps: floatingIps.flatMap((floating) =>
      floating.fixedIp === null ? [] : [{ floatingIp: floating.address, fixedIp: floating.fixedIp }],
    ),
    portForwardings: floatingIps.flatMap((floating) => forwardingPlans(tables, floating)),
    routes: up ? router.routes : [],
  };
}

function forwardingPlans(tables: NetworkTables, floating: FloatingIp): PortForwardingPlan[] {
  return tables.portForwardings
    .list(({ floatingIpId, internalIp }) => floatingIpId === floating.id && versionOf(internalIp) === 4)
    .map(({ protocol, externalPort, internalIp, internalPort }) => ({
      ...{ floatingIp: floating.address, protocol, externalPort, fixedIp: internalIp, internalPort },
    }));
}

function portPlan(tables: NetworkTables, port: Port): PortPlan {
  const { device } = port;
  return {
    id: port.id,
    networkId: port.networkId,
    mac: port.mac,
    fixedIps: port.fixedIps.map((ip) => ip.ipAddress),
    allowedAddresses: port.allowedAddressPairs.map((pair) => ({
      address: normalizeIp(pair.ip_address),
      mac: pair.mac_address.toLowerCase().replaceAll("-", ":"),
    })),
    portSecurity: port.portSecurityEnabled,
    securityGroupIds: port.securityGroupIds,
    serverId: port.adminStateUp ? (device?.id ?? null) : null,
    nic: device === undefined ? 0 : (device.nic ?? nicNumbers(tables, device.id).get(port.id) ?? 0),
  };
}
