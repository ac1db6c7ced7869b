import { ApiError } from "../http/api-error.ts";
import type { NetworkTables, RbacPolicy } from "./records.ts";

/** The projects that use what a policy shares. */
export function projectsUsing(tables: NetworkTables, { objectType, objectId }: RbacPolicy): string[] {
  const projects = usersOf(tables, objectType, objectId).map(({ projectId }) => projectId);
  return [...new Set(projects)].filter((project) => project !== "");
}

function usersOf(tables: NetworkTables, type: RbacPolicy["objectType"], id: string): { projectId: string }[] {
  const rulesWith = (key: "remoteGroupId" | "remoteAddressGroupId") =>
    tables.securityGroupRules.list((rule) => rule[key] === id);
  switch (type) {
    case "network":
      return tables.ports.list(({ networkId }) => networkId === id);
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

export function rbacInUse(objectId: string, details: string): ApiError {
  const words = `RBAC policy on object ${objectId} cannot be removed because other objects depend on it.\nDetails: ${details}`;
  return new ApiError(409, words, "RbacPolicyInUse");
}
