import { netmaskOf, parseCidr } from "../network/ipv4.ts";
import type { NetworkTables, Port } from "../network/records.ts";

/**
 * `network_data.json` of the config drive (Nova's metadata format): one physical link per port, its IPv4 addresses static. Static and
 * not DHCP, because the addresses are known and a guest is up sooner without asking.
 */
export function networkData(tables: NetworkTables, ports: Port[]): unknown {
  const dns = new Set<string>();
  const networks = ports.flatMap((port) =>
    port.fixedIps.flatMap((ip) => {
      const subnet = tables.subnets.get(ip.subnetId);
      const range = subnet === undefined ? undefined : parseCidr(subnet.cidr);
      if (subnet === undefined || range === undefined) return [];
      const services = subnet.dnsNameservers.map((address) => ({ type: "dns", address }));
      for (const { address } of services) dns.add(address);
      const routes = subnet.hostRoutes.flatMap(({ destination, nexthop }) => {
        const target = parseCidr(destination);
        return target === undefined
          ? []
          : [{ network: destination.split("/")[0], netmask: netmaskOf(target.prefix), gateway: nexthop }];
      });
      const gateway = subnet.gatewayIp;
      const byDefault = gateway === null ? [] : [{ network: "0.0.0.0", netmask: "0.0.0.0", gateway }];
      return [
        {
          type: "ipv4",
          link: linkName(port),
          network_id: port.networkId,
          ip_address: ip.ipAddress,
          netmask: netmaskOf(range.prefix),
          // only the first port leads out: two default routes would take turns
          routes: [...(port === ports[0] ? byDefault : []), ...routes],
          services,
        },
      ];
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
    services: [...dns].map((address) => ({ type: "dns", address })),
  };
}

const linkName = (port: Port) => `tap${port.id.slice(0, 11)}`;
