import type { Scope } from "../identity/scope.ts";
import type { Network, NetworkTables, RbacPolicy, RbacType } from "./records.ts";

/** Whether a policy lets the scope's project use an object. */
export function isGranted(
  tables: NetworkTables,
  type: RbacType,
  objectId: string,
  scope: Scope,
  action: RbacPolicy["action"] = "access_as_shared",
): boolean {
  return (
    tables.rbacPolicies.find(
      (policy) =>
        policy.objectType === type &&
        policy.objectId === objectId &&
        policy.action === action &&
        (policy.target === "*" || policy.target === scope.project?.id),
    ) !== undefined
  );
}

/** Whether the scope's project may plug ports into a network of another. */
export function isSharedNetwork(tables: NetworkTables, network: Network, scope: Scope): boolean {
  return network.shared || isGranted(tables, "network", network.id, scope);
}

/** Whether a policy lets every project use an object. */
export function isSharedWithAll(tables: NetworkTables, type: RbacType, objectId: string): boolean {
  return (
    tables.rbacPolicies.find(
      (policy) => policy.objectType === type && policy.objectId === objectId && policy.target === "*",
    ) !== undefined
  );
}
