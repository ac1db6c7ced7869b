import type { SecurityRulePlan } from "../dataplane.ts";
import { type IpVersion, normalizeCidr, versionOf } from "../ip.ts";
import { shortId } from "./names.ts";

const protocolsByNumber: Record<string, string> = {
  ...{ "1": "icmp", "6": "tcp", "17": "udp", "33": "dccp", "58": "icmpv6", "132": "sctp", "136": "udplite" },
};

/** nft set that holds the addresses of a family that a security group's members have. */
export const groupSet = (groupId: string, version: IpVersion) => `${version === 4 ? "g" : "g6"}_${shortId(groupId)}`;

/**
 * The match part of a rule in nft's language, e.g. `ip saddr 10.0.0.0/8 tcp dport 22`. Undefined for a rule that no packet can match: one of
 * a family for a range of the other, as an address group may have.
 */
export function matchOf(rule: SecurityRulePlan): string | undefined {
  const version = rule.ethertype === "IPv6" ? 6 : 4;
  if (rule.remoteCidr !== null && versionOf(rule.remoteCidr) !== version) return undefined;
  return [remoteMatch(rule, version), protocolMatch(rule)].filter((part) => part !== "").join(" ");
}

function remoteMatch({ direction, remoteCidr, remoteGroupId }: SecurityRulePlan, version: IpVersion): string {
  const field = `${version === 4 ? "ip" : "ip6"} ${direction === "ingress" ? "saddr" : "daddr"}`;
  if (remoteGroupId !== null) return `${field} @${groupSet(remoteGroupId, version)}`;
  if (remoteCidr === null || remoteCidr.endsWith("/0")) return `meta nfproto ipv${version}`;
  return `${field} ${normalizeCidr(remoteCidr) ?? remoteCidr}`;
}

function protocolMatch({ protocol, portMin, portMax }: SecurityRulePlan): string {
  if (protocol === null || protocol === "any" || protocol === "0") return "";
  const name = protocolsByNumber[protocol] ?? protocol.toLowerCase();
  if (name === "icmp" || name === "icmpv6") return icmpMatch(name, portMin, portMax);
  const hasPorts = ["tcp", "udp", "sctp", "dccp", "udplite"].includes(name) && portMin !== null;
  return hasPorts ? `${name} dport ${rangeText(portMin, portMax ?? portMin)}` : `meta l4proto ${name}`;
}

/** Neutron keeps the ICMP type in `port_range_min` and the code in `port_range_max`. */
function icmpMatch(name: "icmp" | "icmpv6", type: number | null, code: number | null): string {
  if (type === null) return `meta l4proto ${name === "icmp" ? "icmp" : "ipv6-icmp"}`;
  return code === null ? `${name} type ${type}` : `${name} type ${type} ${name} code ${code}`;
}

const rangeText = (min: number, max: number) => (min === max ? String(min) : `${min}-${max}`);
