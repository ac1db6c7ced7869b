import type { NetworkingPlan, NetworkPlan } from "../dataplane.ts";
import { contains, knownRange, normalizeIp } from "../ip.ts";
import { links, shortId } from "./names.ts";
import { pluggedPorts } from "./network-ruleset.ts";

/**
 * An address of the network's own on each link (of a range that nobody reaches, RFC 6666): without one dnsmasq does not look which subnets
 * the link has.
 */
export const dhcpLinkAddress = "100::1/64";

/** How long guests keep addresses, in seconds, as Neutron's usual. */
const leaseSeconds = 86_400;

/** The shortest prefix that dnsmasq serves. */
const shortestPrefix = 64;

/**
 * What dnsmasq tells guests by DHCPv6: their ports' addresses where the subnet is stateful, and name servers. Undefined where no subnet has
 * it that dnsmasq can serve.
 */
export function dnsmasqConfig(network: NetworkPlan, plan: NetworkingPlan): string | undefined {
  const subnets = network.subnets.filter(
    ({ cidr, ipv6 }) => ipv6?.addressMode?.startsWith("dhcpv6-") && knownRange(cidr).prefix >= shortestPrefix,
  );
  const ports = pluggedPorts(plan, network.id);
  if (subnets.length === 0 || ports.length === 0) return undefined;
  const taps = ports.map(({ id }) => links.tap(id));
  const given = subnets
    .filter(({ ipv6 }) => ipv6?.addressMode === "dhcpv6-stateful")
    .map(({ cidr }) => knownRange(cidr));
  const hosts = ports.flatMap(({ mac, fixedIps }) => {
    const own = fixedIps.filter((ip) => given.some((range) => contains(range, ip)));
    return own.length === 0 ? [] : [`dhcp-host=${[mac, ...own.map((ip) => `[${ip}]`)].join(",")}`];
  });
  const lines = [
    ...["port=0", "no-resolv", "no-hosts", "leasefile-ro", "dhcp-authoritative"],
    ...["quiet-dhcp6", "quiet-ra"], // else guests that ask without end fill the disk
    ...taps.map((tap) => `interface=${tap}`),
    ...subnets.flatMap(({ id, cidr, ipv6 }) => {
      const nameServers = (ipv6?.nameServers ?? []).map(normalizeIp);
      const [first, length] = cidr.split("/");
      return [
        `dhcp-range=set:${shortId(id)},${first},static,${length},${leaseSeconds}`,
        ...taps.map((tap) => `shared-network=${tap},${first}`),
        ...(nameServers.length === 0
          ? []
          : [`dhcp-option=tag:${shortId(id)},option6:dns-server,${nameServers.map((ip) => `[${ip}]`).join(",")}`]),
      ];
    }),
    ...hosts,
  ];
  return `${lines.join("\n")}\n`;
}
