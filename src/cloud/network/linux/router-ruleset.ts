import type { RouterPlan } from "../dataplane.ts";
import { versionOf } from "../ip.ts";
import { isWithin } from "./addresses.ts";
import { links } from "./names.ts";
import { elementsOf, replaceTable, set } from "./network-ruleset.ts";

/** What guests may reach in the external network. */
export interface Egress {
  /** The external range: the other floating IPs and the machine's address in it. */
  cidr: string;
  /** Whether guests reach what lies beyond, by the machine; link-local addresses they do not. */
  anywhere?: boolean;
  gatewayIp: string;
  /** TCP ports of the machine that guests may reach at `gatewayIp`; undefined = all. */
  hostPorts?: readonly number[];
}

/**
 * The whole ruleset of a router's namespace: floating IPs as two maps (in: floating → fixed, out: fixed → floating), source translation
 * for the rest, and a filter that lets in only what a floating IP translated. Fixed addresses are never routed from the external side.
 */
export function routerRuleset(router: RouterPlan, egress: Egress): string {
  const floating = router.floatingIps.map(({ floatingIp, fixedIp }) => `${floatingIp} : ${fixedIp}`);
  const firstByFixed = new Map(router.floatingIps.toReversed().map(({ floatingIp, fixedIp }) => [fixedIp, floatingIp]));
  const fixed = [...firstByFixed].map(([fixedIp, floatingIp]) => `${fixedIp} : ${floatingIp}`);
  const forwards = router.portForwardings.map(
    ({ floatingIp: address, protocol, externalPort, fixedIp, internalPort }) =>
      `  ip daddr ${address} ${protocol} dport ${externalPort} dnat to ${fixedIp}:${internalPort};`,
  );
  const reachable = reachableRanges(router, egress);
  const snat =
    router.externalIp !== null && router.enableSnat
      ? `  oifname "${links.externalLeg}" snat to ${router.externalIp};`
      : "";
  return `${replaceTable("ip router")}
table ip router {
 map floating { type ipv4_addr : ipv4_addr;${elementsOf(floating)} }
 map fixed { type ipv4_addr : ipv4_addr;${elementsOf(fixed)} }
${set("translated", "type ipv4_addr", [...firstByFixed.keys()])}
${set("reachable", "type ipv4_addr; flags interval; auto-merge", reachable)}
 chain pre {
  type nat hook prerouting priority dstnat; policy accept;
${forwards.join("\n")}
  dnat to ip daddr map @floating;
 }
 chain post {
  type nat hook postrouting priority srcnat; policy accept;
  iifname "qr-*" oifname "qr-*" ct status dnat snat to ip saddr map @fixed;
  iifname "qr-*" oifname "qr-*" ct status dnat masquerade;
  oifname "${links.externalLeg}" snat to ip saddr map @fixed;
${snat}
 }
 chain forward {
  type filter hook forward priority filter; policy drop;
  ct state established,related accept;
  ct state invalid drop;
  ct status dnat accept;
  iifname "qr-*" oifname "qr-*" accept;
${hostPortRule(egress)}
  iifname "qr-*" oifname "${links.externalLeg}" ip daddr 169.254.0.0/16 jump refuse;
${snat === "" ? `  iifname "qr-*" oifname "${links.externalLeg}" ip saddr != @translated jump refuse;` : ""}
  iifname "qr-*" oifname "${links.externalLeg}" ip daddr @reachable accept;
  iifname "qr-*" jump refuse;
 }
 chain refuse {
  meta l4proto tcp reject with tcp reset;
  reject with icmp type admin-prohibited;
 }
}
${router.interfaces.some(({ ip }) => versionOf(ip) === 6) ? ipv6Ruleset : ""}`;
}

/** IPv6 goes between networks alone; a kernel without it has no such table. */
const ipv6Ruleset = `${replaceTable("ip6 router")}
table ip6 router {
 chain forward {
  type filter hook forward priority filter; policy drop;
  iifname "qr-*" oifname "qr-*" accept;
 }
}
`;

/** What lies beyond the external network is reached by the router's own routes into it, or where guests have a way out. */
function reachableRanges(router: RouterPlan, { cidr, anywhere }: Egress): string[] {
  if (anywhere) return ["0.0.0.0/0"];
  const outward = router.routes
    .filter(({ destination, nexthop }) => versionOf(destination) === versionOf(nexthop) && isWithin(nexthop, cidr))
    .map(({ destination }) => destination);
  return [...new Set([cidr, ...outward])];
}

function hostPortRule({ gatewayIp, hostPorts }: Egress): string {
  if (hostPorts === undefined) return "";
  const allowed = hostPorts.length === 0 ? "" : ` tcp dport != { ${hostPorts.join(", ")} }`;
  return `  iifname "qr-*" ip daddr ${gatewayIp}${allowed} jump refuse;\n  iifname "qr-*" ip daddr ${gatewayIp} meta l4proto != tcp jump refuse;`;
}
