import { z } from "zod";
import { parseBody } from "../http/body.ts";
import { owns } from "../identity/scope.ts";
import { neutron } from "./errors.ts";
import { normalizeCidr } from "./ipv4.ts";
import type { SecurityGroupRule } from "./records.ts";
import { commonView, type NetworkResource, newRecord } from "./resource.ts";

/** Names that Neutron takes besides numbers 0–255. */
const protocols = new Set([
  "ah",
  "dccp",
  "egp",
  "esp",
  "gre",
  "icmp",
  "icmpv6",
  "igmp",
  "ipip",
  "ipv6-icmp",
  "ospf",
  "pgm",
  "rsvp",
  "sctp",
  "tcp",
  "udp",
  "udplite",
  "vrrp",
]);
const protocol = z
  .union([z.string(), z.number()])
  .nullable()
  .transform((value) => (value === null || value === "" || value === "any" ? null : String(value).toLowerCase()))
  .refine((value) => value === null || protocols.has(value) || (/^\d+$/.test(value) && Number(value) <= 255), {
    message: "Security group rule protocol is not supported. Only protocol names and integer [0 to 255] are.",
  });
const portNumber = z.coerce.number().int().min(0).max(65_535).nullable();

const createBody = z.strictObject({
  security_group_id: z.string(),
  direction: z.enum(["ingress", "egress"]),
  ethertype: z
    .string()
    .default("IPv4")
    .transform((text) => (text.toLowerCase() === "ipv6" ? "IPv6" : text.toLowerCase() === "ipv4" ? "IPv4" : text))
    .pipe(z.enum(["IPv4", "IPv6"])),
  protocol: protocol.optional(),
  port_range_min: portNumber.optional(),
  port_range_max: portNumber.optional(),
  remote_ip_prefix: z.string().nullable().optional(),
  remote_group_id: z.string().nullable().optional(),
  remote_address_group_id: z.null().optional(),
  description: z.string().max(255).optional(),
  tenant_id: z.string().optional(),
  project_id: z.string().optional(),
});

/** `/v2.0/security-group-rules`; a rule cannot be changed. */
export const securityGroupRules: NetworkResource<SecurityGroupRule> = {
  singular: "security_group_rule",
  path: "security-group-rules",
  quota: 100,
  table: (tables) => tables.securityGroupRules,
  notFound: neutron.ruleNotFound,
  view: (_tables, rule) => ruleView(rule),

  create(tables, scope, input) {
    const body = parseBody(createBody, input);
    for (const id of [body.security_group_id, body.remote_group_id]) {
      if (id === undefined || id === null) continue;
      const group = tables.securityGroups.get(id);
      if (group === undefined || !owns(scope, group.projectId)) throw neutron.groupNotFound(id);
    }
    const rule: SecurityGroupRule = {
      ...newRecord(scope, body),
      securityGroupId: body.security_group_id,
      direction: body.direction,
      ethertype: body.ethertype,
      protocol: body.protocol ?? null,
      ...portRange(body.protocol ?? null, body.port_range_min ?? null, body.port_range_max ?? null),
      remoteIpPrefix: prefix(body.ethertype, body.remote_ip_prefix ?? null),
      remoteGroupId: body.remote_group_id ?? null,
    };
    if (rule.remoteIpPrefix !== null && rule.remoteGroupId !== null) {
      throw neutron.badRequest("Only remote_ip_prefix or remote_group_id may be provided.");
    }
    const twin = tables.securityGroupRules.find((other) => meaning(other) === meaning(rule));
    if (twin !== undefined) throw neutron.ruleExists(twin.id);
    return rule;
  },

  remove(tables, rule) {
    tables.securityGroupRules.delete(rule.id);
  },
};

/** A rule as it is shown, alone and inside its group. */
export function ruleView(rule: SecurityGroupRule): Record<string, unknown> {
  return {
    id: rule.id,
    security_group_id: rule.securityGroupId,
    ethertype: rule.ethertype,
    direction: rule.direction,
    protocol: rule.protocol,
    port_range_min: rule.portRangeMin,
    port_range_max: rule.portRangeMax,
    remote_ip_prefix: rule.remoteIpPrefix,
    remote_address_group_id: null,
    normalized_cidr: rule.remoteIpPrefix === null ? null : (normalizeCidr(rule.remoteIpPrefix) ?? rule.remoteIpPrefix),
    remote_group_id: rule.remoteGroupId,
    ...commonView(rule),
  };
}

/** Two rules with the same meaning are duplicates, whatever their description says. */
function meaning(rule: SecurityGroupRule): string {
  const cidr = rule.remoteIpPrefix === null ? null : (normalizeCidr(rule.remoteIpPrefix) ?? rule.remoteIpPrefix);
  const everywhere = cidr === "0.0.0.0/0" || cidr === "::/0" ? null : cidr;
  return JSON.stringify([
    rule.securityGroupId,
    rule.direction,
    rule.ethertype,
    rule.protocol,
    rule.portRangeMin,
    rule.portRangeMax,
    everywhere,
    rule.remoteGroupId,
  ]);
}

function portRange(
  protocolName: string | null,
  min: number | null,
  max: number | null,
): Pick<SecurityGroupRule, "portRangeMin" | "portRangeMax"> {
  if (min === null && max === null) return { portRangeMin: null, portRangeMax: null };
  if (protocolName === null) {
    throw neutron.badRequest("Must also specify protocol if port range is given.");
  }
  if (protocolName.includes("icmp")) {
    if (min === null)
      throw neutron.badRequest(
        `ICMP code (port-range-max) ${max} is provided but ICMP type (port-range-min) is missing.`,
      );
    return { portRangeMin: min, portRangeMax: max };
  }
  if (min === null || max === null || min > max) {
    throw neutron.badRequest("For TCP/UDP protocols, port_range_min must be <= port_range_max");
  }
  // Neutron keeps the whole range as no range
  if (min <= 1 && max === 65_535) return { portRangeMin: null, portRangeMax: null };
  return { portRangeMin: min, portRangeMax: max };
}

/** Echoed as sent: clients compare it with what they asked for. A lone address gets its /32. */
function prefix(ethertype: SecurityGroupRule["ethertype"], text: string | null): string | null {
  if (text === null || text === "") return null;
  const full = text.includes("/") ? text : `${text}/${ethertype === "IPv4" ? 32 : 128}`;
  const isV6 = full.includes(":");
  if (isV6 !== (ethertype === "IPv6")) {
    throw neutron.badRequest(`Conflicting value ethertype ${ethertype} for CIDR ${text}`);
  }
  if (!isV6 && normalizeCidr(full) === undefined) {
    throw neutron.badRequest(`Invalid input for remote_ip_prefix. Reason: '${text}' is not a valid IP subnet.`);
  }
  return full;
}
