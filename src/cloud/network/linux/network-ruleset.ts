import type { NetworkingPlan, PortPlan, SecurityRulePlan } from "../dataplane.ts";
import { bitsOf, type IpVersion, linkLocalAddress, parseCidr, versionOf } from "../ip.ts";
import { links, metadataAddress, metadataPort, shortId } from "./names.ts";
import { groupSet, matchOf } from "./rule-expression.ts";

/** The filter of one port as text: what decides whether one of its open connections may go on. */
export interface PortFilter {
  /** Rules that let packets out of the guest. */
  egress: string[];
  /** Rules that let packets in. */
  ingress: string[];
}

/** The ports of a network that are plugged into a guest, in a stable order. */
export function pluggedPorts(plan: NetworkingPlan, networkId: string): PortPlan[] {
  return plan.ports
    .filter((port) => port.networkId === networkId && port.serverId !== null)
    .sort((a, b) => a.id.localeCompare(b.id));
}

/** What a port's security groups let through; everything else is dropped. */
export function portFilter(plan: NetworkingPlan, port: PortPlan): PortFilter {
  const rules = plan.securityGroups
    .filter((group) => port.securityGroupIds.includes(group.id))
    .flatMap((group) => group.rules);
  const lines = (direction: SecurityRulePlan["direction"], verdict: string) =>
    rules
      .filter((rule) => rule.direction === direction)
      .map(matchOf)
      .filter((match) => match !== undefined)
      .map((match) => `${match} ${verdict}`.trim());
  return { egress: unique(lines("egress", "return")), ingress: unique(lines("ingress", "accept")) };
}

/** Addresses of a group's members, for rules with a remote group. */
export function membersOf(plan: NetworkingPlan, groupId: string): string[] {
  return unique(plan.ports.filter((port) => port.securityGroupIds.includes(groupId)).flatMap((port) => port.fixedIps));
}

/** Addresses that a port may use as a source, besides its link-local one. */
export function sourcesOf(port: PortPlan): string[] {
  return unique([...port.fixedIps, ...port.allowedAddresses.map(({ address }) => address)]);
}

/**
 * Sources of a family with the MAC address that each goes with; in IPv6 each MAC address has a link-local one. The narrow come before the
 * wide: after a range that holds it the kernel refuses an element.
 */
function sourcePairs(port: PortPlan, version: IpVersion): string[] {
  const own = port.fixedIps.map((address) => ({ address, mac: port.mac }));
  const pairs = [...own, ...port.allowedAddresses].filter(({ address }) => versionOf(address) === version);
  const local = version === 6 ? pairs.map(({ mac }) => ({ address: linkLocalAddress(mac), mac })) : [];
  const narrowFirst = [...pairs, ...local].sort((a, b) => lengthOf(b.address) - lengthOf(a.address));
  return unique(narrowFirst.map(({ address, mac }) => `"${links.tap(port.id)}" . ${mac} . ${address}`));
}

/** The prefix length of a range; a bare address has all bits. */
const lengthOf = (range: string) => parseCidr(range)?.prefix ?? bitsOf(versionOf(range));

/**
 * The whole ruleset of a network's namespace. Every port is a routed link there, so that one `inet` table sees both ends of each packet:
 * first anti-spoofing (link, MAC and source address belong together), then the sender's egress rules, then the receiver's ingress rules.
 * `routerIds` are the routers with a leg in the network.
 */
export function networkRuleset(plan: NetworkingPlan, networkId: string, routerIds: string[]): string {
  const ports = pluggedPorts(plan, networkId);
  const secured = ports.filter((port) => port.portSecurity);
  const filters = secured.map((port) => ({
    tap: links.tap(port.id),
    key: shortId(port.id),
    ...portFilter(plan, port),
  }));
  const groups = unique(
    secured.flatMap((port) =>
      plan.securityGroups
        .filter((group) => port.securityGroupIds.includes(group.id))
        .flatMap((group) => group.rules.flatMap((rule) => rule.remoteGroupId ?? [])),
    ),
  ).sort();
  const allLinks = [...ports.map((port) => links.tap(port.id)), ...routerIds.map(links.networkLeg)];
  const sources = (version: IpVersion) => secured.flatMap((port) => sourcePairs(port, version));
  return `${replaceTable("inet sg")}
table inet sg {
${set(
  "ports",
  "type ifname",
  secured.map((port) => `"${links.tap(port.id)}"`),
)}
${set(
  "links",
  "type ifname",
  allLinks.map((link) => `"${link}"`),
)}
${set("sources", "type ifname . ether_addr . ipv4_addr; flags interval", sources(4))}
${set("sources6", "type ifname . ether_addr . ipv6_addr; flags interval", sources(6))}
${groups.flatMap((group) => ([4, 6] as const).map((version) => memberSet(plan, group, version))).join("\n")}
${filters.map(({ key, egress, ingress }) => `${chain(`e_${key}`, egress)}\n${chain(`i_${key}`, ingress)}`).join("\n")}
${verdictMap(
  "egress",
  filters.map(({ tap, key }) => `"${tap}" : jump e_${key}`),
)}
${verdictMap(
  "ingress",
  filters.map(({ tap, key }) => `"${tap}" : jump i_${key}`),
)}
 chain spoof {
  type filter hook prerouting priority -350; policy accept;
  iifname @ports iifname . ether saddr . ip saddr != @sources counter drop;
  iifname @ports ip6 saddr :: ip6 daddr ff02::/16 icmpv6 type { ${unspecifiedTypes} } accept;
  iifname @ports iifname . ether saddr . ip6 saddr != @sources6 counter drop;
  iifname @ports icmpv6 type nd-router-advert drop;
  iifname @ports udp sport 547 udp dport 546 drop;
 }
 chain local {
  type filter hook input priority filter; policy accept;
  icmpv6 type { ${neighbourTypes} } accept;
  iifname "q-*" drop;
  meta nfproto ipv6 udp sport 546 udp dport 547 accept;
  meta nfproto ipv6 drop;
  iifname @ports ip daddr != ${metadataAddress} drop;
  iifname @ports meta l4proto != tcp drop;
  iifname @ports tcp dport != ${metadataPort} drop;
  ct state established accept;
  iifname vmap @egress;
 }
 chain forward {
  type filter hook forward priority filter; policy drop;
  ct state established,related accept;
  ct state invalid drop;
  iifname vmap @egress;
  oifname vmap @ingress;
  iifname @links accept;
 }
}
${replaceTable("arp asp")}
table arp asp {
 chain input {
  type filter hook input priority filter; policy accept;
${secured.map((port) => `  iifname "${links.tap(port.id)}" arp saddr ip != ${arpSources(port)} drop;`).join("\n")}
 }
}
`;
}

/** Replaces a table in one transaction, whether it exists or not. Connection tracking, and with it open connections, is untouched. */
export const replaceTable = (table: string) => `table ${table} { }\ndelete table ${table}`;

/** A guest that looks whether its address is free asks with source 0.0.0.0 (RFC 5227). */
const arpSources = (port: PortPlan) =>
  `{ ${["0.0.0.0", ...sourcesOf(port).filter((address) => versionOf(address) === 4)].join(", ")} }`;

/** What a guest without an address may send: it looks whether its own is free, and joins the groups that it hears that by. */
const unspecifiedTypes = "131, 135, 143";

/** What the namespace itself takes of guests and routers: questions for routers and neighbours, their answers, and who listens to what. */
const neighbourTypes = "131, 132, 133, 135, 136, 143";

const memberSet = (plan: NetworkingPlan, group: string, version: IpVersion) =>
  set(
    groupSet(group, version),
    `type ipv${version}_addr; flags interval; auto-merge`,
    membersOf(plan, group).filter((address) => versionOf(address) === version),
  );

const chain = (name: string, rules: string[]) =>
  ` chain ${name} {\n${[...rules, "drop"].map((rule) => `  ${rule};`).join("\n")}\n }`;

/** A named set; nft refuses an empty `elements` list. */
export function set(name: string, type: string, elements: string[]): string {
  return ` set ${name} { ${type};${elementsOf(elements)} }`;
}

const verdictMap = (name: string, elements: string[]) =>
  ` map ${name} { type ifname : verdict;${elementsOf(elements)} }`;

export function elementsOf(elements: string[]): string {
  return elements.length === 0 ? "" : ` elements = { ${elements.join(", ")} };`;
}

const unique = <T>(items: T[]) => [...new Set(items)];
