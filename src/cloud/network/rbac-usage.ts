import type { NetworkTables, RbacPolicy } from "./records.ts";

/** The projects that use what a policy is about in the way that it allows. */
export function projectsUsing(tables: NetworkTables, { objectType, objectId, action }: RbacPolicy): string[] {
  const projects = usersOf(tables, objectType, objectId, action).map(({ projectId }) => projectId);
  return [...new Set(projects)].filter((project) => project !== "");
}

function usersOf(
  tables: NetworkTables,
  type: RbacPolicy["objectType"],
  id: string,
  action: RbacPolicy["action"],
): { projectId: string }[] {
  const rulesWith = (key: "remoteGroupId" | "remoteAddressGroupId") =>
    tables.securityGroupRules.list((rule) => rule[key] === id);
  switch (type) {
    case "network":
      return action === "access_as_external"
        ? [
            ...tables.routers.list(({ gateway }) => gateway?.networkId === id),
            ...tables.floatingIps.list(({ networkId }) => networkId === id),
          ]
        : tables.ports.list(({ networkId }) => networkId === id);
    case "subnetpool":
      return tables.subnets.list(({ poolId }) => poolId === id);
    case "address_scope":
      return tables.subnetPools.list(({ addressScopeId }) => addressScopeId === id);
    case "address_group":
      return rulesWith("remoteAddressGroupId");
    case "security_group":
      return [...tables.ports.list((port) => port.securityGroupIds.includes(id)), ...rulesWith("remoteGroupId")];
  }
}
