import type { SecurityGroup, SecurityGroupRule } from "../network/records.ts";

/** What these rules let in, in the words that Nova had before Neutron: those out of a guest it never knew. */
export function novaGroupView(
  { id, name, description, projectId }: SecurityGroup,
  rules: SecurityGroupRule[],
  groupOf: (id: string) => SecurityGroup | undefined,
): Record<string, unknown> {
  const ingress = rules.filter((rule) => rule.direction === "ingress");
  return {
    ...{ id, name, description, tenant_id: projectId },
    rules: ingress.flatMap((rule) => {
      const source = rule.remoteGroupId === null ? undefined : groupOf(rule.remoteGroupId);
      const [from_port, to_port] = portsOf(rule);
      return {
        ...{ id: rule.id, parent_group_id: rule.securityGroupId, ip_protocol: rule.protocol, from_port, to_port },
        group: source === undefined ? {} : { name: source.name, tenant_id: source.projectId },
        ip_range: source === undefined ? { cidr: rule.remoteIpPrefix ?? "0.0.0.0/0" } : {},
      };
    }),
  };
}

/** Without a range all ports of a protocol that has ports, and -1 for one that has none. */
export function portsOf({ protocol, portRangeMin, portRangeMax }: SecurityGroupRule): [number | null, number | null] {
  if (!protocol || portRangeMin !== null || portRangeMax !== null) return [portRangeMin, portRangeMax];
  return /^(tcp|udp)$/i.test(protocol) ? [1, 65_535] : [-1, -1];
}
