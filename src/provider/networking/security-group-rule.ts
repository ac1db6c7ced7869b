import type { PropertyMap, PropertyValue } from "../../engine/resource-provider.ts";
import type { ResourceKind } from "../kind.ts";
import type { ApiObject } from "../schema/api-form.ts";
import { integer, text } from "../schema/property.ts";
import { refuseUnlessCidr, sameNetwork } from "../schema/suppress.ts";
import { textOf } from "../schema/values.ts";
import { serially } from "../serial.ts";
import { commonProperties, neutronKind } from "./neutron.ts";

/** Names that Neutron knows; any IP protocol number is fine too. */
const protocols = new Set(
  "ah dccp egp esp gre icmp igmp ipip ipv6-encap ipv6-frag ipv6-icmp ipv6-nonxt ipv6-opts ipv6-route ospf pgm rsvp sctp tcp udp udplite vrrp".split(
    " ",
  ),
);

const table = neutronKind({
  type: "openstack:networking/secGroupRule:SecGroupRule",
  path: "security-group-rules",
  collection: "security_group_rules",
  member: "security_group_rule",
  autoName: false,
  timeouts: { delete: 600 },
  properties: {
    ...commonProperties,
    description: text({ field: "description", replaces: true }),
    direction: text({ field: "direction", required: true, replaces: true, allowed: ["ingress", "egress"] }),
    ethertype: text({ field: "ethertype", required: true, replaces: true, allowed: ["IPv4", "IPv6"] }),
    protocol: text({ field: "protocol", computed: true, replaces: true, refuse: refuseProtocol }),
    portRangeMin: integer({ field: "port_range_min", computed: true, replaces: true, refuse: refusePort }),
    portRangeMax: integer({ field: "port_range_max", computed: true, replaces: true, refuse: refusePort }),
    remoteIpPrefix: text({
      field: "remote_ip_prefix",
      computed: true,
      replaces: true,
      refuse: refuseUnlessCidr,
      toState: (value) => String(value).toLowerCase(),
      same: sameNetwork,
    }),
    remoteGroupId: text({ field: "remote_group_id", computed: true, replaces: true }),
    securityGroupId: text({ field: "security_group_id", required: true, replaces: true }),
  },
  identity: (inputs) => ({
    security_group_id: textOf(inputs, "securityGroupId"),
    direction: textOf(inputs, "direction"),
    ethertype: textOf(inputs, "ethertype"),
  }),
  isMine: sameRule,
});

/** `openstack_networking_secgroup_rule_v2`: every change replaces; rules of one group follow one another. */
export const securityGroupRule: ResourceKind = {
  type: table.type,
  properties: table.properties,
  autoName: false,
  timeouts: table.timeouts,
  create: (context, inputs) => serially(groupOf(inputs), () => table.create(context, withoutZeroPorts(inputs))),
  read: async (context, id, inputs, olds) => {
    const state = await table.read(context, id, inputs, olds);
    return state === undefined ? undefined : { ...state, ...wholeRange(inputs, state) };
  },
  delete: (context, id, olds) => serially(groupOf(olds), () => table.delete(context, id, olds)),
  candidates: table.candidates?.bind(table),
  excludesOld: (olds, inputs) => identity(olds) === identity(inputs),
};

function groupOf(values: PropertyMap): string {
  return `security group ${textOf(values, "securityGroupId")}`;
}

/** Port 0 means "not given", as in the official provider. */
function withoutZeroPorts(inputs: PropertyMap): PropertyMap {
  const sent = { ...inputs };
  for (const name of ["portRangeMin", "portRangeMax"]) if (sent[name] === 0) delete sent[name];
  return sent;
}

/**
 * Neutron stores the ports 1 to 65535 as "any". The official provider then sees a difference with every run and meets 409 on
 * its way to replace the rule; the state keeps what the program said instead.
 */
function wholeRange(inputs: PropertyMap, state: PropertyMap): PropertyMap {
  const asked = inputs.portRangeMin === 1 && inputs.portRangeMax === 65535;
  const any = state.portRangeMin === 0 && state.portRangeMax === 0;
  return asked && any ? { portRangeMin: 1, portRangeMax: 65535 } : {};
}

/** What Neutron compares when it refuses a duplicate: everything but the description, "all ports" as none. */
function identity(rule: PropertyMap): string {
  const ports = [Number(rule.portRangeMin ?? 0), Number(rule.portRangeMax ?? 0)];
  const all = ports[0] === 1 && ports[1] === 65535;
  return JSON.stringify([
    ...["securityGroupId", "direction", "ethertype", "protocol", "remoteGroupId"].map((name) => rule[name] ?? ""),
    String(rule.remoteIpPrefix ?? "").toLowerCase(),
    ...(all ? [0, 0] : ports),
  ]);
}

function sameRule(api: ApiObject, inputs: PropertyMap): boolean {
  return (
    identity({
      securityGroupId: String(api.security_group_id ?? ""),
      direction: String(api.direction ?? ""),
      ethertype: String(api.ethertype ?? ""),
      protocol: String(api.protocol ?? ""),
      remoteGroupId: String(api.remote_group_id ?? ""),
      remoteIpPrefix: String(api.remote_ip_prefix ?? ""),
      portRangeMin: Number(api.port_range_min ?? 0),
      portRangeMax: Number(api.port_range_max ?? 0),
    }) === identity(inputs)
  );
}

function refuseProtocol(value: PropertyValue): string | undefined {
  if (value === "" || protocols.has(String(value)) || /^(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])$/.test(String(value))) {
    return undefined;
  }
  return "must be a protocol name that Neutron knows (tcp, udp, icmp, ipv6-icmp, …) or a number from 0 to 255";
}

function refusePort(value: PropertyValue): string | undefined {
  return typeof value === "number" && value >= 0 && value <= 65535 ? undefined : "must be from 0 to 65535";
}
