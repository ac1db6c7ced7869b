import { ApiError } from "../http/api-error.ts";
import { pythonText } from "../http/python-repr.ts";
import { owns } from "../identity/scope.ts";
import { attribute, ownerAttributes } from "./attributes.ts";
import { neutron } from "./errors.ts";
import { demandUnneededOutside, ensureExternal, followPolicies } from "./rbac-external.ts";
import { projectsUsing, rbacInUse } from "./rbac-usage.ts";
import type { NetworkRecord, NetworkTables, RbacPolicy, RbacType } from "./records.ts";
import { type NetworkResource, newRecord, revised } from "./resource.ts";
import { text, uuid } from "./validators.ts";

const types: RbacType[] = ["address_scope", "address_group", "network", "security_group", "subnetpool"];

function toType(value: unknown): unknown {
  const found = types.find((type) => type === pythonText(value).trim().toLowerCase());
  if (found === undefined) throw neutron.invalidInput(`'${pythonText(value)}' is not a valid RBAC object type`);
  return found;
}

const attributes = {
  ...ownerAttributes,
  object_type: attribute<RbacType>("crf", { convert: toType, privilege: "anyone" }),
  object_id: attribute<string>("crf", { validate: uuid, privilege: "anyone" }),
  target_tenant: attribute<string>("cruf", {
    validate: text(255),
    privilege: (target) => (target === "*" ? "admin" : "anyone"),
  }),
  action: attribute<string>("crf", { validate: text(255), privilege: "anyone" }),
};

/** `/v2.0/rbac-policies`: what lets other projects use what a project has. */
export const rbacPolicies: NetworkResource<RbacPolicy, typeof attributes> = {
  singular: "rbac_policy",
  plural: "rbac_policies",
  path: "rbac-policies",
  quota: 10,
  untagged: true,
  attributes,
  table: (tables) => tables.rbacPolicies,
  notFound: (id) => new ApiError(404, `RBAC policy of type unknown with ID ${id} not found`, "RbacPolicyNotFound"),

  view: (_tables, policy) => ({
    ...{ id: policy.id, project_id: policy.projectId, action: policy.action, object_id: policy.objectId },
    ...{ target_tenant: policy.target, object_type: policy.objectType, tenant_id: policy.projectId },
  }),

  create(tables, scope, body) {
    const [objectType, objectId] = [body.object_type ?? "network", body.object_id ?? ""];
    const object = objectOf(tables, objectType, objectId);
    if (object === undefined) throw neutron.invalidInput(`${objectType} ${objectId} could not be found`);
    if (!owns(scope, object.projectId)) {
      throw neutron.invalidInput("Only admins can manipulate policies on objects they do not own");
    }
    const policy: RbacPolicy = {
      ...newRecord(scope, body),
      ...{ objectType, objectId, action: demandAction(body.action ?? "", objectType) },
      target: body.target_tenant ?? "",
    };
    demandNew(tables, policy);
    show(tables, policy, true);
    if (policy.action === "access_as_external") ensureExternal(tables, objectId);
    return policy;
  },

  update(tables, _scope, policy, body) {
    const changed = revised(policy, { target: body.target_tenant ?? policy.target });
    if (changed.target === policy.target) return policy;
    demandUnneeded(tables, policy, changed.target);
    demandNew(tables, changed);
    show(tables, policy, false);
    show(tables, changed, true);
    return changed;
  },

  remove(tables, policy) {
    demandUnneeded(tables, policy);
    show(tables, policy, false);
    tables.rbacPolicies.delete(policy.id);
    if (policy.action === "access_as_external") followPolicies(tables, policy.objectId);
  },
};

function objectOf(tables: NetworkTables, type: RbacType, id: string): NetworkRecord | undefined {
  const table = {
    network: tables.networks,
    subnetpool: tables.subnetPools,
    address_scope: tables.addressScopes,
    address_group: tables.addressGroups,
    security_group: tables.securityGroups,
  }[type];
  return table.get(id);
}

function demandAction(action: string, type: RbacType): RbacPolicy["action"] {
  if (action === "access_as_shared" || (action === "access_as_external" && type === "network")) return action;
  const valid = type === "network" ? "('access_as_shared', 'access_as_external')" : "('access_as_shared',)";
  const words = `Invalid action '${action}' for object type '${type}'. Valid actions: ${valid}`;
  throw new ApiError(400, words, "InvalidActionForType");
}

function demandNew(tables: NetworkTables, { objectType, objectId, action, target }: RbacPolicy): void {
  const twin = tables.rbacPolicies.find(
    (one) =>
      one.objectType === objectType && one.objectId === objectId && one.action === action && one.target === target,
  );
  if (twin !== undefined) {
    throw new ApiError(409, "An RBAC policy already exists with those values.", "DuplicateRbacPolicy");
  }
}

/** Networks, pools and scopes say of themselves whether all projects have them. */
function show(tables: NetworkTables, { objectType, objectId, action, target }: RbacPolicy, shared: boolean): void {
  if (target !== "*" || action !== "access_as_shared") return;
  if (objectType === "network") tables.networks.patch(objectId, { shared });
  if (objectType === "subnetpool") tables.subnetPools.patch(objectId, { shared });
  if (objectType === "address_scope") tables.addressScopes.patch(objectId, { shared });
}

/** @param next whom it shall be for then; undefined where it goes @throws ApiError 409 */
function demandUnneeded(tables: NetworkTables, policy: RbacPolicy, next?: string): void {
  if (policy.action === "access_as_external") demandUnneededOutside(tables, policy, next);
  else if (next !== "*") demandUnused(tables, policy);
}

/** A policy that lets projects use what they do use stays, unless another lets them, too. @throws ApiError 409 */
function demandUnused(tables: NetworkTables, policy: RbacPolicy): void {
  const { objectType, objectId, action, target } = policy;
  const owner = objectOf(tables, objectType, objectId)?.projectId;
  const others = tables.rbacPolicies.list(
    (one) => one.objectId === objectId && one.action === action && one.id !== policy.id,
  );
  const allowed = (project: string) =>
    project === owner || others.some((one) => one.target === "*" || one.target === project);
  const using = projectsUsing(tables, policy).filter((project) => target === "*" || project === target);
  if (using.every(allowed)) return;
  const details =
    objectType === "network"
      ? `Unable to reconfigure sharing settings for network ${objectId}. Multiple tenants are using it.`
      : `project_id=${target}`;
  throw rbacInUse(objectId, details);
}
