import { z } from "zod";
import { booleanLike, parseBody } from "../http/body.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { neutron } from "./errors.ts";
import type { NetworkTables, SecurityGroup, SecurityGroupRule } from "./records.ts";
import { commonView, type NetworkResource, newInternalRecord, newRecord, revised } from "./resource.ts";
import { ruleView } from "./security-group-rules.ts";

const fields = {
  name: z.string().max(255).optional(),
  description: z.string().max(255).optional(),
  stateful: booleanLike.optional(),
};
const createBody = z.strictObject({
  ...fields,
  tenant_id: z.string().optional(),
  project_id: z.string().optional(),
});
const updateBody = z.strictObject(fields);

/** `/v2.0/security-groups` */
export const securityGroups: NetworkResource<SecurityGroup> = {
  singular: "security_group",
  path: "security-groups",
  quota: 10,
  table: (tables) => tables.securityGroups,
  notFound: neutron.groupNotFound,

  prepare(tables, scope) {
    if (scope.project !== undefined) defaultGroup(tables, scope.project.id);
  },

  view: (tables, group) => ({
    id: group.id,
    name: group.name,
    stateful: group.stateful,
    shared: false,
    security_group_rules: rulesOf(tables, group.id).map(ruleView),
    ...commonView(group),
  }),

  create(tables, scope, input) {
    const body = parseBody(createBody, input);
    if (body.name === "default") throw neutron.defaultGroupExists();
    const group = { ...newRecord(scope, body), revision: 1, stateful: body.stateful ?? true };
    addEgressRules(tables, group);
    return group;
  },

  update(_tables, _scope, group, input) {
    const body = parseBody(updateBody, input);
    if (group.name === "default" && body.name !== undefined && body.name !== "default") {
      throw neutron.badRequest("Updating default security group not allowed.");
    }
    return revised(group, {
      name: body.name ?? group.name,
      description: body.description ?? group.description,
      stateful: body.stateful ?? group.stateful,
    });
  },

  remove(tables, group) {
    if (group.name === "default") throw neutron.defaultGroupStays();
    if (tables.ports.find((port) => port.securityGroupIds.includes(group.id)) !== undefined) {
      throw neutron.groupInUse(group.id);
    }
    for (const rule of tables.securityGroupRules.list(
      (item) => item.securityGroupId === group.id || item.remoteGroupId === group.id,
    )) {
      tables.securityGroupRules.delete(rule.id);
    }
    tables.securityGroups.delete(group.id);
  },
};

const rulesOf = (tables: NetworkTables, groupId: string) =>
  tables.securityGroupRules.list((rule) => rule.securityGroupId === groupId);

/** The project's `default` group, made when first asked for: all egress, ingress from its own members. */
export function defaultGroup(tables: NetworkTables, projectId: string): SecurityGroup {
  const found = tables.securityGroups.find((group) => group.projectId === projectId && group.name === "default");
  if (found !== undefined) return found;
  const group = tables.securityGroups.put({
    ...newInternalRecord(projectId),
    name: "default",
    description: "Default security group",
    stateful: true,
  });
  addEgressRules(tables, group);
  for (const ethertype of ["IPv4", "IPv6"] as const) {
    tables.securityGroupRules.put({ ...openRule(group, "ingress", ethertype), remoteGroupId: group.id });
  }
  return group;
}

/** Every new group lets everything out. */
function addEgressRules(tables: NetworkTables, group: SecurityGroup): void {
  for (const ethertype of ["IPv4", "IPv6"] as const) {
    tables.securityGroupRules.put(openRule(group, "egress", ethertype));
  }
}

/** A rule that lets everything through in one direction. */
export function openRule(
  group: SecurityGroup,
  direction: SecurityGroupRule["direction"],
  ethertype: SecurityGroupRule["ethertype"],
): SecurityGroupRule {
  return {
    ...newInternalRecord(group.projectId),
    securityGroupId: group.id,
    direction,
    ethertype,
    protocol: null,
    portRangeMin: null,
    portRangeMax: null,
    remoteIpPrefix: null,
    remoteGroupId: null,
  };
}

/** The ids, each of a group that the scope may use. */
export function checkGroups(tables: NetworkTables, scope: Scope, ids: string[]): string[] {
  for (const id of ids) {
    const group = tables.securityGroups.get(id);
    if (group === undefined || !owns(scope, group.projectId)) throw neutron.groupNotFound(id);
  }
  return [...new Set(ids)];
}
