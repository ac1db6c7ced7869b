import type { SecurityRulePlan } from "../dataplane.ts";
import { shortId } from "./names.ts";

const protocolsByNumber: Record<string, string> = {
  ...{ "1": "icmp", "6": "tcp", "17": "udp", "33": "dccp", "132": "sctp", "136": "udplite" },
};

/** nft set that holds the addresses of a security group's members. */
export const groupSet = (groupId: string) => `g_${shortId(groupId)}`;

/**
 * The match part of a rule in nft's language, e.g. `ip saddr 10.0.0.0/8 tcp dport 22`; empty text matches everything. Undefined for a
 * rule that no packet can match here: guests have no IPv6 (anti-spoofing drops it).
 */
export function matchOf(rule: SecurityRulePlan): string | undefined {
  if (rule.ethertype === "IPv6" || rule.remoteCidr?.includes(":")) return undefined;
  return [remoteMatch(rule), protocolMatch(rule)].filter((part) => part !== "").join(" ");
}

function remoteMatch({ direction, remoteCidr, remoteGroupId }: SecurityRulePlan): string {
  const field = direction === "ingress" ? "ip saddr" : "ip daddr";
  if (remoteGroupId !== null) return `${field} @${groupSet(remoteGroupId)}`;
  if (remoteCidr === null || remoteCidr.endsWith("/0")) return "";
  return `${field} ${remoteCidr}`;
}

function protocolMatch({ protocol, portMin, portMax }: SecurityRulePlan): string {
  if (protocol === null || protocol === "any" || protocol === "0") return "";
  const name = protocolsByNumber[protocol] ?? protocol.toLowerCase();
  if (name === "icmp") return icmpMatch(portMin, portMax);
  const hasPorts = ["tcp", "udp", "sctp", "dccp", "udplite"].includes(name) && portMin !== null;
  return hasPorts ? `${name} dport ${rangeText(portMin, portMax ?? portMin)}` : `meta l4proto ${name}`;
}

/** Neutron keeps the ICMP type in `port_range_min` and the code in `port_range_max`. */
function icmpMatch(type: number | null, code: number | null): string {
  if (type === null) return "meta l4proto icmp";
  return code === null ? `icmp type ${type}` : `icmp type ${type} icmp code ${code}`;
}

const rangeText = (min: number, max: number) => (min === max ? String(min) : `${min}-${max}`);
