import { neutron } from "../network/errors.ts";
import { newInternalRecord } from "../network/resource.ts";
import { ruleView } from "../network/security-group-rules.ts";
import type { Fault, FaultContext } from "./fault.ts";

interface GroupAnswer {
  security_group: { id: string; security_group_rules: unknown[] };
}

/** The answer to a new group once the operator's defaults have been put in place of Neutron's. */
async function withDefaults(
  body: string,
  { store, tables, reconcile }: FaultContext,
  change: (groupId: string) => void,
): Promise<string> {
  const answer = JSON.parse(body) as GroupAnswer;
  const { id } = answer.security_group;
  store.transaction(() => change(id));
  await reconcile();
  answer.security_group.security_group_rules = tables.securityGroupRules
    .list((rule) => rule.securityGroupId === id)
    .map(ruleView);
  return JSON.stringify(answer);
}

const groupCreate = { method: "POST", route: "/network/v2.0/security-groups" };

/** What operators and leftovers make of security groups and ports. */
export const groupFaults: Fault[] = [
  {
    row: "P09",
    name: "default-rules-none",
    does: "the operator's defaults are empty: a new security group has no rule at all, and lets nothing out",
    requests: [
      {
        ...groupCreate,
        after: (_request, _reply, body, context) =>
          withDefaults(body, context, (id) => {
            const { securityGroupRules: rules } = context.tables;
            for (const rule of rules.list((one) => one.securityGroupId === id)) rules.delete(rule.id);
          }),
      },
    ],
  },
  {
    row: "P09",
    name: "default-rules-ingress",
    does: "the operator's defaults let SSH in: a new security group has a rule for TCP port 22 besides, and making it again is a 409",
    requests: [
      {
        ...groupCreate,
        after: (_request, _reply, body, context) =>
          withDefaults(body, context, (id) => {
            const projectId = context.tables.securityGroups.get(id)?.projectId ?? "";
            context.tables.securityGroupRules.put({
              ...newInternalRecord(projectId),
              ...{ securityGroupId: id, direction: "ingress", ethertype: "IPv4", protocol: "tcp" },
              ...{ portRangeMin: 22, portRangeMax: 22, remoteIpPrefix: null, remoteGroupId: null },
            });
          }),
      },
    ],
  },
  {
    row: "P10",
    name: "sg-in-use",
    does: "a security group is still in use when it is deleted: 409 `Security Group … in use.`",
    times: 3,
    requests: [
      {
        method: "DELETE",
        route: "/network/v2.0/security-groups/:id",
        before: (request) => {
          throw neutron.groupInUse((request.params as { id: string }).id);
        },
      },
    ],
  },
  {
    row: "P10",
    name: "orphan-port",
    does: "Nova deletes a server and forgets the ports that it made for it",
    times: 1,
    requests: [
      {
        method: "DELETE",
        route: "/compute/v2.1/servers/:id",
        before: (request, { servers }) => {
          const { id } = request.params as { id: string };
          const server = servers.get(id);
          servers.patch(id, { nics: server?.nics.map((nic) => ({ ...nic, made: false })) ?? [] });
          return undefined;
        },
      },
    ],
  },
];
