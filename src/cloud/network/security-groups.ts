import type { Scope } from "../identity/scope.ts";
import { attribute, standardAttributes } from "./attributes.ts";
import { neutron } from "./errors.ts";
import { removeSharing } from "./rbac-sharing.ts";
import type { NetworkTables, SecurityGroup, SecurityGroupRule } from "./records.ts";
import { commonView, type NetworkResource, newInternalRecord, newRecord, revised } from "./resource.ts";
import { memberRuleView } from "./security-group-rules.ts";
import { isGranted, isSharedWithAll, usableRecord } from "./sharing.ts";
import { text, toBoolean, type Validator } from "./validators.ts";

const isDefaultName = (name: unknown) => typeof name === "string" && name.toLowerCase() === "default";

const nameNotDefault: Validator = (value) => {
  if (isDefaultName(value)) throw neutron.defaultGroupExists();
  return text(255)(value);
};

const attributes = {
  ...standardAttributes,
  name: attribute<string>("cufs", { validate: nameNotDefault }),
  stateful: attribute<boolean>("cu", { convert: toBoolean }),
  shared: attribute<boolean>("f", { convert: toBoolean }),
  security_group_rules: attribute<object[]>(""),
};

/** `/v2.0/security-groups` */
export const securityGroups: NetworkResource<SecurityGroup, typeof attributes> = {
  singular: "security_group",
  path: "security-groups",
  quota: 10,
  attributes,
  table: (tables) => tables.securityGroups,
  notFound: neutron.groupNotFound,
  isPublic: (tables, group, scope) => isGranted(tables, "security_group", group.id, scope),

  prepare(tables, scope) {
    if (scope.project !== undefined) defaultGroup(tables, scope.project.id);
  },

  view: (tables, group) => ({
    id: group.id,
    name: group.name,
    stateful: group.stateful,
    shared: isSharedWithAll(tables, "security_group", group.id),
    security_group_rules: rulesOf(tables, group.id).map(memberRuleView),
    ...commonView(group),
  }),

  create(tables, scope, body) {
    const group = { ...newRecord(scope, body), revision: 1, stateful: body.stateful ?? true };
    defaultGroup(tables, group.projectId);
    addEgressRules(tables, group);
    return group;
  },

  update(tables, _scope, group, body) {
    if (group.name === "default" && body.name !== undefined) throw neutron.defaultGroupKeepsName();
    if (body.stateful !== undefined && body.stateful !== group.stateful && isUsed(tables, group)) {
      throw neutron.groupInUse(group.id);
    }
    return revised(group, {
      name: body.name ?? group.name,
      description: body.description ?? group.description,
      stateful: body.stateful ?? group.stateful,
    });
  },

  remove(tables, group) {
    if (isUsed(tables, group)) throw neutron.groupInUse(group.id);
    if (group.name === "default") throw neutron.defaultGroupStays();
    for (const rule of tables.securityGroupRules.list(
      (item) => item.securityGroupId === group.id || item.remoteGroupId === group.id,
    )) {
      tables.securityGroupRules.delete(rule.id);
    }
    removeSharing(tables, "security_group", group.id);
    tables.securityGroups.delete(group.id);
  },
};

const isUsed = (tables: NetworkTables, group: SecurityGroup) =>
  tables.ports.find((port) => port.securityGroupIds.includes(group.id)) !== undefined;

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
    description: null,
    securityGroupId: group.id,
    direction,
    ethertype,
    protocol: null,
    portRangeMin: null,
    portRangeMax: null,
    remoteIpPrefix: null,
    remoteGroupId: null,
    isGroupsOwn: true,
  };
}

/** The ids, each of a group that the scope may use. */
export function checkGroups(tables: NetworkTables, scope: Scope, ids: string[]): string[] {
  for (const id of ids) {
    const group = usableRecord(tables, tables.securityGroups, "security_group", scope, id);
    if (group === undefined) throw neutron.groupNotFound(id);
  }
  return [...new Set(ids)];
}
