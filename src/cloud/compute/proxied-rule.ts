import type { SecurityGroupRule } from "../network/records.ts";
import { isCidr } from "../network/validators.ts";
import { nova } from "./errors.ts";
import { portsOf } from "./server-security-groups.ts";

/** A rule as a client of Nova's own security groups asks for it. */
export interface AskedRule {
  parent_group_id?: unknown;
  group_id?: unknown;
  ip_protocol?: unknown;
  from_port?: unknown;
  to_port?: unknown;
  cidr?: unknown;
}

/** What Nova makes of it. Ports are -1 for any type or code of ICMP. */
export interface WantedRule {
  protocol: string | null;
  from: number | null;
  to: number | null;
  cidr: string | null;
  groupId: string | null;
}

/** @throws ApiError 400 in Nova's words */
export function ruleOf({ group_id, ip_protocol, from_port, to_port, cidr: asked }: AskedRule): WantedRule {
  const groupId = (group_id ?? null) as string | null;
  const cidr = groupId === null ? cidrOf(asked) : null;
  const protocol = ip_protocol ? String(ip_protocol) : null;
  const open = groupId === null ? undefined : openPorts(protocol, from_port, to_port);
  const [first, last] = open ?? [from_port ?? null, to_port ?? null];
  if (protocol !== null && first !== null && last !== null) return { ...ported(protocol, first, last), cidr, groupId };
  if (cidr !== null) throw nova.badRequest("Not enough parameters to build a valid rule.");
  return { protocol: null, from: null, to: null, cidr, groupId };
}

/** Members of a group are let in everywhere where no ports are named. */
function openPorts(protocol: string | null, from: unknown, to: unknown): [number, number] | undefined {
  if ((from ?? null) !== null || (to ?? null) !== null) return undefined;
  if (/^icmp$/i.test(protocol ?? "")) return [-1, -1];
  return /^(tcp|udp)$/i.test(protocol ?? "") ? [1, 65_535] : undefined;
}

function cidrOf(asked: unknown): string {
  if (!asked) return "0.0.0.0/0";
  const text = decoded(String(asked));
  if (text === undefined || !text.includes("/") || !isCidr(text)) {
    throw nova.badRequest(`${String(asked)} is not a valid IP network.`);
  }
  if (text.endsWith("/0") && !/^(0\.0\.0\.0|::)\/0$/.test(text)) {
    throw nova.badRequest(`Bad prefix for network in cidr ${text}`);
  }
  return text;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function ported(protocol: string, first: unknown, last: unknown): Pick<WantedRule, "protocol" | "from" | "to"> {
  const kind = protocol.toUpperCase();
  const isIcmp = kind === "ICMP";
  const [from, to] = [integerOf(first), integerOf(last)];
  if (from === undefined || to === undefined) {
    const what = isIcmp
      ? "Type and Code must be integers for ICMP protocol type"
      : "To and From ports must be integers";
    throw nova.badRequest(`Invalid input received: ${what}`);
  }
  if (!["TCP", "UDP", "ICMP"].includes(kind)) throw nova.badRequest(`Invalid IP protocol ${protocol}.`);
  const refuse = (why: string) => nova.badRequest(`Invalid port range ${from}:${to}. ${why}`);
  if (isIcmp) {
    if ([from, to].some((value) => value < -1 || value > 255)) throw refuse("For ICMP, the type:code must be valid");
  } else {
    if (from > to) throw refuse("Former value cannot be greater than the later");
    if (from < 1 || to > 65_535) throw refuse(`Valid ${kind} ports should be between 1-65535`);
  }
  return { protocol, from, to };
}

/** As Python's `int` reads it. */
function integerOf(value: unknown): number | undefined {
  if (typeof value === "boolean") return Number(value);
  if (typeof value === "number") return Math.trunc(value);
  return typeof value === "string" && /^\s*[+-]?\d+\s*$/.test(value) ? Number(value) : undefined;
}

/** Whether one of these rules lets the same addresses in to the same ports. Nova finds no twin of a rule for a group. */
export function hasRule(rules: SecurityGroupRule[], wanted: WantedRule): boolean {
  return rules.some((rule) => {
    const [from, to] = portsOf(rule);
    return (
      rule.direction === "ingress" &&
      rule.remoteGroupId === null &&
      (rule.remoteIpPrefix ?? "0.0.0.0/0") === wanted.cidr &&
      rule.protocol === wanted.protocol &&
      from === wanted.from &&
      to === wanted.to
    );
  });
}
