import type { NetworkingPlan, NetworkPlan } from "../dataplane.ts";
import { normalizeIp } from "../ip.ts";
import { links } from "./names.ts";
import { pluggedPorts } from "./network-ruleset.ts";

/** As many name servers does Neutron advertise. */
const mostNameServers = 3;

/**
 * What radvd is to advertise to a network's guests, as Neutron's routers do: the prefixes of the subnets that a router has a leg in and whose
 * mode says so. Undefined where there is nothing to advertise.
 */
export function radvdConfig(network: NetworkPlan, plan: NetworkingPlan): string | undefined {
  const legs = plan.routers.flatMap(({ interfaces }) => interfaces).filter(({ networkId }) => networkId === network.id);
  const subnets = network.subnets.filter(
    ({ cidr, ipv6 }) => ipv6 !== undefined && ipv6.raMode !== null && legs.some((leg) => leg.cidr === cidr),
  );
  const ports = pluggedPorts(plan, network.id);
  if (subnets.length === 0 || ports.length === 0) return undefined;
  const has = (mode: string) => subnets.some(({ ipv6 }) => ipv6?.raMode === mode);
  const nameServers = subnets.flatMap(({ ipv6 }) => (ipv6?.raMode === "slaac" ? ipv6.nameServers : []));
  const lines = [
    "IgnoreIfMissing on;", // a guest that ends takes its link along
    "AdvSendAdvert on;",
    "MinRtrAdvInterval 30;",
    "MaxRtrAdvInterval 100;",
    `AdvLinkMTU ${network.mtu};`,
    ...(has("dhcpv6-stateless") ? ["AdvOtherConfigFlag on;"] : []),
    ...(has("dhcpv6-stateful") ? ["AdvManagedFlag on;"] : []),
    ...(nameServers.length === 0
      ? []
      : [`RDNSS ${nameServers.slice(0, mostNameServers).map(readable).join(" ")} { };`]),
    ...subnets.map(({ cidr, ipv6 }) => {
      const autonomous = ipv6?.raMode === "dhcpv6-stateful" ? "off" : "on";
      return `prefix ${readable(cidr)} { AdvOnLink on; AdvAutonomous ${autonomous}; };`;
    }),
  ];
  return ports
    .map(({ id }) => `interface ${links.tap(id)} {\n${lines.map((line) => ` ${line}\n`).join("")}};\n`)
    .join("");
}

/** An address or a range as radvd reads it: not with an IPv4 address at its end, and not with a zero left out in front (`::53`). */
const readable = (text: string) => normalizeIp(text).replace(/^::(?=[^/])/, "0::");
