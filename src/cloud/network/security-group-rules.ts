import { ApiError } from "../http/api-error.ts";
import { pythonRepr, pythonText } from "../http/python-repr.ts";
import { owns } from "../identity/scope.ts";
import { attribute, standardAttributes } from "./attributes.ts";
import { neutron } from "./errors.ts";
import type { View } from "./filters.ts";
import { bitsOf, normalizeCidr, normalizeIp, versionOf } from "./ip.ts";
import { protocolNumber, takesPorts, toProtocol } from "./protocols.ts";
import type { SecurityGroupRule } from "./records.ts";
import { commonView, type NetworkResource, newRecord } from "./resource.ts";
import { usableRecord } from "./sharing.ts";
import { isCidr, oneOf, text } from "./validators.ts";

const etherTypes = ["IPv4", "IPv6"];

function toEtherType(value: unknown): unknown {
  const found = etherTypes.find((name) => name.toLowerCase() === pythonText(value).toLowerCase());
  if (found !== undefined) return found;
  const words = `Security group rule for ethertype '${pythonText(value)}' not supported. Allowed values are ${pythonRepr(etherTypes)}.`;
  throw new ApiError(400, words, "SecurityGroupRuleInvalidEtherType");
}

function toPortValue(value: unknown): unknown {
  if (value === null) return null;
  const number = typeof value === "boolean" ? Number.NaN : Number(value);
  if (Number.isInteger(number) && number >= 0 && number <= 65_535 && pythonText(value).trim() !== "") return number;
  throw neutron.invalidPort(value);
}

/** A lone address gets its length; what has host bits stays as it was sent: clients compare it with what they asked for. */
function toPrefix(value: unknown): unknown {
  if (value === null || value === "") return null;
  const address = pythonText(value);
  const [ip = "", length = bitsOf(versionOf(address))] = address.split("/");
  const full = `${normalizeIp(ip)}/${length}`;
  if (isCidr(full)) return full;
  throw new ApiError(400, `Invalid CIDR ${address} given as IP prefix.`, "InvalidCIDR");
}

const attributes = {
  ...standardAttributes,
  security_group_id: attribute<string>("crfs", { validate: text(36) }),
  remote_group_id: attribute<string | null>("cfs"),
  remote_address_group_id: attribute<string | null>("cfs"),
  direction: attribute<SecurityGroupRule["direction"]>("crfs", { validate: oneOf("ingress", "egress") }),
  protocol: attribute<string | null>("cfs", { convert: toProtocol }),
  port_range_min: attribute<number | null>("cfs", { convert: toPortValue }),
  port_range_max: attribute<number | null>("cfs", { convert: toPortValue }),
  ethertype: attribute<SecurityGroupRule["ethertype"]>("cfs", { convert: toEtherType }),
  remote_ip_prefix: attribute<string | null>("cfs", { convert: toPrefix }),
  normalized_cidr: attribute<string | null>("fs"),
};

/** `/v2.0/security-group-rules`; a rule cannot be changed. */
export const securityGroupRules: NetworkResource<SecurityGroupRule, typeof attributes> = {
  singular: "security_group_rule",
  path: "security-group-rules",
  quota: 100,
  untagged: true,
  attributes,
  table: (tables) => tables.securityGroupRules,
  notFound: neutron.ruleNotFound,
  // whoever has the group sees what others put into it
  isPublic: (tables, rule, scope) => {
    const group = tables.securityGroups.get(rule.securityGroupId);
    return group !== undefined && owns(scope, group.projectId);
  },
  view: (_tables, rule) => ruleView(rule),

  create(tables, scope, body) {
    const groupId = body.security_group_id ?? "";
    const ethertype = body.ethertype ?? "IPv4";
    const protocol = familyProtocol(body.protocol ?? null, ethertype);
    const remotes = [body.remote_ip_prefix, body.remote_group_id, body.remote_address_group_id].filter(Boolean);
    const range = portRange(protocol, body.port_range_min ?? null, body.port_range_max ?? null);
    if (remotes.length > 1) throw neutron.manyRemotes();
    const prefix = body.remote_ip_prefix ?? null;
    if (prefix !== null && `IPv${versionOf(prefix)}` !== ethertype) {
      throw neutron.ruleConflict(ethertype, prefix);
    }
    for (const id of [body.remote_group_id, groupId]) {
      if (id === undefined || id === null) continue;
      const group = usableRecord(tables, tables.securityGroups, "security_group", scope, id);
      if (group === undefined) throw neutron.groupNotFound(id);
    }
    const addressGroupId = body.remote_address_group_id ?? null;
    if (
      addressGroupId !== null &&
      usableRecord(tables, tables.addressGroups, "address_group", scope, addressGroupId) === undefined
    ) {
      throw neutron.addressGroupNotFound(addressGroupId);
    }
    const rule: SecurityGroupRule = {
      ...newRecord(scope, body),
      securityGroupId: groupId,
      direction: body.direction ?? "ingress",
      ethertype,
      protocol,
      ...range,
      remoteIpPrefix: prefix,
      remoteGroupId: body.remote_group_id ?? null,
      remoteAddressGroupId: addressGroupId,
    };
    const twin = tables.securityGroupRules.find((other) => meaning(other) === meaning(rule));
    if (twin !== undefined) throw neutron.ruleExists(twin.id);
    return rule;
  },

  remove(tables, rule) {
    tables.securityGroupRules.delete(rule.id);
  },
};

/** A rule as it is shown alone: rules have no tags of their own. */
export function ruleView(rule: SecurityGroupRule): View {
  const { tags: _none, ...common } = commonView(rule);
  return {
    id: rule.id,
    security_group_id: rule.securityGroupId,
    ethertype: rule.ethertype,
    direction: rule.direction,
    protocol: rule.protocol,
    port_range_min: rule.portRangeMin,
    port_range_max: rule.portRangeMax,
    remote_ip_prefix: rule.remoteIpPrefix,
    remote_address_group_id: rule.remoteAddressGroupId ?? null,
    normalized_cidr: rule.remoteIpPrefix === null ? null : (normalizeCidr(rule.remoteIpPrefix) ?? rule.remoteIpPrefix),
    remote_group_id: rule.remoteGroupId,
    ...common,
    description: rule.isGroupsOwn ? null : rule.description,
  };
}

/** A rule inside its group, with what Neutron shows there of its tables: a number that nothing else tells, and tags that it cannot have. */
export function memberRuleView(rule: SecurityGroupRule): View {
  return { ...ruleView(rule), standard_attr_id: Number.parseInt(rule.id.slice(0, 8), 16), tags: [] };
}

/** Two rules with the same meaning are duplicates, whatever their description says. */
function meaning(rule: SecurityGroupRule): string {
  const cidr = rule.remoteIpPrefix === null ? null : (normalizeCidr(rule.remoteIpPrefix) ?? rule.remoteIpPrefix);
  const everywhere = cidr === "0.0.0.0/0" || cidr === "::/0" ? null : cidr;
  return JSON.stringify([
    rule.securityGroupId,
    rule.direction,
    rule.ethertype,
    rule.protocol === null ? null : protocolNumber(rule.protocol),
    rule.portRangeMin,
    rule.portRangeMax,
    everywhere,
    rule.remoteGroupId,
    rule.remoteAddressGroupId ?? null,
  ]);
}

/** Encapsulated IPv6, its headers for routing and fragments, ICMPv6, and its headers for nothing and for options. */
const ipv6Protocols = new Set([41, 43, 44, 58, 59, 60]);

/** ICMP is another protocol in IPv6. */
function familyProtocol(protocol: string | null, ethertype: SecurityGroupRule["ethertype"]): string | null {
  if (protocol === null) return null;
  if (ethertype === "IPv6") {
    if (protocol === "1") return "58";
    return ["icmp", "icmpv6"].includes(protocol) ? "ipv6-icmp" : protocol;
  }
  if (!ipv6Protocols.has(protocolNumber(protocol))) return protocol;
  const words = `Invalid ethertype ${ethertype} for protocol ${protocol}.`;
  throw new ApiError(400, words, "SecurityGroupEthertypeConflictWithProtocol");
}

function portRange(
  protocol: string | null,
  min: number | null,
  max: number | null,
): Pick<SecurityGroupRule, "portRangeMin" | "portRangeMax"> {
  const none = { portRangeMin: null, portRangeMax: null };
  if (min === null && max === null) return none;
  if (protocol === null) {
    const words = "Must also specify protocol if port range is given.";
    throw new ApiError(400, words, "SecurityGroupProtocolRequiredWithPorts");
  }
  const number = protocolNumber(protocol);
  if (number === 1 || number === 58) return icmpRange(min, max);
  if (!takesPorts(number)) {
    const words = `Ports cannot be specified for protocol ${number}. Ports are only supported for DCCP, SCTP, TCP, UDP, UDPLITE.`;
    throw new ApiError(400, words, "SecurityGroupInvalidProtocolForPort");
  }
  for (const value of [min, max]) if (value === 0) throw neutron.invalidPort(value);
  if (min === null || max === null || min > max) {
    const words = "For TCP/UDP protocols, port_range_min must be <= port_range_max";
    throw new ApiError(400, words, "SecurityGroupInvalidPortRange");
  }
  // Neutron keeps the whole range as no range
  return min === 1 && max === 65_535 ? none : { portRangeMin: min, portRangeMax: max };
}

function icmpRange(type: number | null, code: number | null): Pick<SecurityGroupRule, "portRangeMin" | "portRangeMax"> {
  const fields = [
    ["type", "port_range_min", type],
    ["code", "port_range_max", code],
  ] as const;
  for (const [field, attr, value] of fields) {
    if (value === null || value <= 255) continue;
    const words = `Invalid value for ICMP ${field} (${attr}) ${value}. It must be 0 to 255.`;
    throw new ApiError(400, words, "SecurityGroupInvalidIcmpValue");
  }
  if (type === null) {
    const words = `ICMP code (port-range-max) ${code} is provided but ICMP type (port-range-min) is missing.`;
    throw new ApiError(400, words, "SecurityGroupMissingIcmpType");
  }
  return { portRangeMin: type, portRangeMax: code };
}
