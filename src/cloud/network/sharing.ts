import { owns, type Scope } from "../identity/scope.ts";
import type { Collection } from "../store/store.ts";
import { neutron } from "./errors.ts";
import type { Network, NetworkRecord, NetworkTables, RbacPolicy, RbacType } from "./records.ts";

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

/** The record that a scope names, where it is the project's or a policy lets it use it. */
export function usableRecord<T extends NetworkRecord>(
  tables: NetworkTables,
  table: Collection<T>,
  type: RbacType,
  scope: Scope,
  id: string,
): T | undefined {
  const record = table.get(id);
  if (record === undefined) return undefined;
  return owns(scope, record.projectId) || isGranted(tables, type, id, scope) ? record : undefined;
}

/** Whether the scope's project may plug ports into a network of another. */
export function isSharedNetwork(tables: NetworkTables, network: Network, scope: Scope): boolean {
  return network.shared || isGranted(tables, "network", network.id, scope);
}

/** Whether the scope's project may lead its routers out by an external network of another. */
export function isExternalFor(tables: NetworkTables, network: Network, scope: Scope): boolean {
  return network.external && isGranted(tables, "network", network.id, scope, "access_as_external");
}

/** The network that a scope names, which is the project's, shared with it, or external for it. @throws ApiError 404 */
export function visibleNetwork(tables: NetworkTables, scope: Scope, id: string): Network {
  const network = tables.networks.get(id);
  const isVisible =
    network !== undefined &&
    (owns(scope, network.projectId) ||
      isSharedNetwork(tables, network, scope) ||
      isExternalFor(tables, network, scope));
  if (!isVisible) throw neutron.networkNotFound(id);
  return network;
}

/** Whether a policy lets every project use an object. */
export function isSharedWithAll(tables: NetworkTables, type: RbacType, objectId: string): boolean {
  return (
    tables.rbacPolicies.find(
      (policy) => policy.objectType === type && policy.objectId === objectId && policy.target === "*",
    ) !== undefined
  );
}

/**
 * The network that a new port or subnet is asked to lie in, which is the project's or is shared with it.
 * @throws ApiError 404 for one that it does not see, 403 for one that it only sees
 */
export function networkForNew(tables: NetworkTables, scope: Scope, id: string, kind: "port" | "subnet"): Network {
  const network = visibleNetwork(tables, scope, id);
  if (owns(scope, network.projectId) || isSharedNetwork(tables, network, scope)) return network;
  throw neutron.forbidden(`Tenant ${scope.project?.id} not allowed to create ${kind} on this network`);
}
