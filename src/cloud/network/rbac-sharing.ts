import type { NetworkRecord, NetworkTables, RbacPolicy, RbacType } from "./records.ts";
import { newInternalRecord } from "./resource.ts";

/**
 * What is shared with everybody, or external for everybody, is so by a policy for `*`; an object's own flags make and remove it, as far as they are
 * told. What is external no more is so for nobody, whomever policies name.
 */
export function setSharing(
  tables: NetworkTables,
  objectType: RbacType,
  object: NetworkRecord,
  wanted: Partial<Record<RbacPolicy["action"], boolean>>,
): void {
  const own = tables.rbacPolicies.list((policy) => policy.objectType === objectType && policy.objectId === object.id);
  for (const action of ["access_as_shared", "access_as_external"] as const) {
    const forAll = own.filter((policy) => policy.action === action && policy.target === "*");
    if (wanted[action] === true && forAll.length === 0) {
      const record = newInternalRecord(object.projectId);
      tables.rbacPolicies.put({ ...record, objectType, objectId: object.id, action, target: "*" });
    }
    if (wanted[action] !== false) continue;
    const gone = action === "access_as_external" ? own.filter((policy) => policy.action === action) : forAll;
    for (const { id } of gone) tables.rbacPolicies.delete(id);
  }
}

/** Removes every policy about an object that goes. */
export function removeSharing(tables: NetworkTables, objectType: RbacType, objectId: string): void {
  for (const policy of tables.rbacPolicies.list((one) => one.objectType === objectType && one.objectId === objectId)) {
    tables.rbacPolicies.delete(policy.id);
  }
}
