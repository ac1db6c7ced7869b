import { type IpRange, ipText, knownRange, netmaskOf, parseCidr } from "../network/ip.ts";
import type { FixedIp, NetworkTables, Port, Subnet } from "../network/records.ts";

/**
 * `network_data.json` of the config drive (Nova's metadata format): one physical link per port. Its IPv4 addresses are static and not by
 * DHCP, because the addresses are known and a guest is up sooner without asking; so are those of IPv6, where the subnet does not say how
 * else hosts get them.
 */
export function networkData(tables: NetworkTables, ports: Port[]): unknown {
  const dns = new Set<string>();
  const networks = ports.flatMap((port) =>
    port.fixedIps.flatMap((ip) => {
      const subnet = tables.subnets.get(ip.subnetId);
      if (subnet === undefined) return [];
      for (const address of subnet.dnsNameservers) dns.add(address);
      // only the first port leads out: two default routes would take turns
      return [networkOf(port, ip, subnet, port === ports[0])];
    }),
  );
  return {
    links: ports.map((port) => ({
      id: linkName(port),
      vif_id: port.id,
      type: "phy",
      mtu: tables.networks.get(port.networkId)?.mtu ?? 1500,
      ethernet_mac_address: port.mac,
    })),
    networks: networks.map((network, index) => ({ id: `network${index}`, ...network })),
    services: servicesOf([...dns]),
  };
}

function networkOf(port: Port, { ipAddress }: FixedIp, subnet: Subnet, leadsOut: boolean): Record<string, unknown> {
  const range = knownRange(subnet.cidr);
  const mode = subnet.ipv6AddressMode === undefined ? "" : `_${subnet.ipv6AddressMode}`;
  return {
    type: `ipv${range.version}${mode}`,
    link: linkName(port),
    network_id: port.networkId,
    ip_address: ipAddress,
    netmask: netmaskOf(range),
    routes: [
      ...(leadsOut && subnet.gatewayIp !== null ? [defaultRoute(range, subnet.gatewayIp)] : []),
      ...routesOf(subnet),
    ],
    services: servicesOf(subnet.dnsNameservers),
  };
}

function defaultRoute({ version }: IpRange, gateway: string) {
  const any = ipText({ version, value: 0n });
  return { network: any, netmask: any, gateway };
}

const routesOf = ({ hostRoutes }: Subnet) =>
  hostRoutes.flatMap(({ destination, nexthop }) => {
    const target = parseCidr(destination);
    return target === undefined
      ? []
      : [{ network: destination.split("/")[0], netmask: netmaskOf(target), gateway: nexthop }];
  });

const servicesOf = (addresses: string[]) => addresses.map((address) => ({ type: "dns", address }));

const linkName = (port: Port) => `tap${port.id.slice(0, 11)}`;
