import { memberOf } from "../answer.ts";
import { callNetwork, requestNetwork } from "../pkgcloud/call.ts";
import type { Query, Session } from "../session.ts";
import { listMembers } from "./collections.ts";
import { tagOrRemove } from "./tags.ts";

/** A Neutron security group with its rules. */
export interface SecurityGroup {
  id: string;
  name: string;
  description: string;
  tags: string[];
  security_group_rules: SecurityGroupRule[];
}

/** What a security group lets in or out. */
export interface SecurityGroupRule extends WantedRule {
  id: string;
  security_group_id: string;
}

/** A rule to be made. A field that is left out or null means any. */
export interface WantedRule {
  direction: "ingress" | "egress";
  ethertype: "IPv4" | "IPv6";
  protocol?: string | null;
  port_range_min?: number | null;
  port_range_max?: number | null;
  remote_ip_prefix?: string | null;
  remote_group_id?: string | null;
  description?: string | null;
}

/** Security groups by Neutron's filters: `name`, `tags`, … */
export function listSecurityGroups(session: Session, filters: Query = {}): Promise<SecurityGroup[]> {
  return listMembers<SecurityGroup>(session, "security-groups", filters);
}

/** Makes a group. Neutron gives it rules that let everything out. */
export async function createSecurityGroup(
  session: Session,
  wanted: { name: string; description: string; tags?: string[] },
): Promise<SecurityGroup> {
  const { name, description } = wanted;
  const answer = await callNetwork(session, (network, callback) =>
    network.createSecurityGroup({ name, description }, callback),
  );
  const made = memberOf<SecurityGroup>(answer, "security_group");
  const tags = await tagOrRemove(session, "security-groups", made.id, deleteSecurityGroup, wanted.tags);
  return { ...made, tags };
}

/** Deletes a group and its rules; one that is gone already is success. One that a port still has is the cloud's 409. */
export async function deleteSecurityGroup(session: Session, id: string): Promise<void> {
  await callNetwork(session, (network, callback) => network.destroySecurityGroup(id, callback), {
    expect: [204, 202, 200, 404],
  });
}

/** Adds a rule to a group. A rule that the group has already, whatever its description says, is the cloud's 409. */
export async function createSecurityGroupRule(
  session: Session,
  groupId: string,
  rule: WantedRule,
): Promise<SecurityGroupRule> {
  // pkgcloud's own method drops the description and the ICMP type 0
  const body = { security_group_rule: { ...rule, security_group_id: groupId } };
  const answer = await requestNetwork(session, { method: "POST", path: "security-group-rules", body });
  return memberOf<SecurityGroupRule>(answer, "security_group_rule");
}
