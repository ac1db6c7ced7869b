import type { FastifyInstance } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import { readAttributes } from "../network/attributes.ts";
import type { SecurityGroup, SecurityGroupRule } from "../network/records.ts";
import { ownRecord, visibleRecord } from "../network/resource.ts";
import { createRecord } from "../network/routes.ts";
import { securityGroupRules } from "../network/security-group-rules.ts";
import { securityGroups } from "../network/security-groups.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { untilMicroversion } from "./microversion.ts";
import { pageOf, type Query } from "./paging.ts";
import { type AskedRule, hasRule, ruleOf } from "./proxied-rule.ts";
import { novaGroupView } from "./server-security-groups.ts";
import { translated } from "./translated.ts";

interface One {
  Params: { id: string };
}

/** What Nova makes of Neutron's refusals: it takes each 409 of a create for a quota. */
const refusals = {
  400: nova.badRequest,
  404: nova.missing,
  409: (message: string) => new ApiError(403, message),
};
/** A group in use, and the one that stays. */
const removalRefusals = { ...refusals, 409: nova.badRequest };

const uuid = /^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

/** @throws ApiError 400 in Nova's words for what is no id */
function idOf(value: unknown): string {
  if (typeof value === "string" && uuid.test(value)) return value;
  throw nova.badRequest("Security group id should be uuid");
}

/** What a body holds under the key. @throws ApiError 400 */
function partOf(body: unknown, key: string): Record<string, unknown> {
  if (typeof body !== "object" || body === null || Object.keys(body).length === 0) {
    throw nova.badRequest("The request body can't be empty");
  }
  const part = (body as Record<string, unknown>)[key];
  if (typeof part !== "object" || part === null) throw nova.badRequest(`Missing parameter ${key}`);
  return part as Record<string, unknown>;
}

/** @throws ApiError 400 */
function namesOf(body: unknown): { name: string; description: string } {
  const { name, description } = partOf(body, "security_group");
  for (const [field, value] of Object.entries({ name, description })) {
    if (typeof value !== "string") throw nova.badRequest(`${field} is not a string or unicode`);
    if (value.length > 255) throw nova.badRequest(`${field} has ${value.length} characters, more than 255.`);
  }
  return { name, description } as { name: string; description: string };
}

/** Nova's own ways to Neutron, gone since 2.36: security groups and their rules, of which it knows those that let in. */
export function proxiedSecurityGroupRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { store, tables, reconcile } = context;
  const view = (group: SecurityGroup) =>
    novaGroupView(
      group,
      tables.securityGroupRules.list(({ securityGroupId }) => securityGroupId === group.id),
      (id) => tables.securityGroups.get(id),
    );
  const change = async <T>(translations: typeof refusals, work: () => T): Promise<T> => {
    const result = translated(translations, () => store.transaction(work));
    await reconcile();
    return result;
  };
  const path = "/os-security-groups";

  app.get<{ Querystring: Query }>(path, (request) => {
    untilMicroversion(request, 35);
    const { scope, query } = request;
    store.transaction(() => securityGroups.prepare?.(tables, scope));
    const everybodys = isAdmin(scope) && query.all_tenants !== undefined;
    const groups = tables.securityGroups.list(({ projectId }) => everybodys || projectId === scope.project?.id);
    const key = ({ projectId, name }: SecurityGroup) => `${projectId}\0${name}`;
    return {
      security_groups: pageOf(groups, query)
        .toSorted((one, other) => (key(one) < key(other) ? -1 : 1))
        .map(view),
    };
  });
  app.get<One>(`${path}/:id`, (request) => {
    untilMicroversion(request, 35);
    const id = idOf(request.params.id);
    return { security_group: view(visibleRecord(securityGroups, tables, request.scope, id)) };
  });
  app.post(path, async (request) => {
    untilMicroversion(request, 35);
    const { scope } = request;
    const names = namesOf(request.body);
    const made = await change(refusals, () =>
      createRecord(securityGroups, tables, scope, readAttributes(securityGroups.attributes, scope, names, "create")),
    );
    return { security_group: view(made) };
  });
  app.put<One>(`${path}/:id`, async (request) => {
    untilMicroversion(request, 35);
    const { scope, params } = request;
    const id = idOf(params.id);
    const changed = await change(removalRefusals, () => {
      const group = ownRecord(securityGroups, tables, scope, id, "update");
      const names = readAttributes(securityGroups.attributes, scope, namesOf(request.body), "update");
      return tables.securityGroups.put(securityGroups.update?.(tables, scope, group, names) ?? group);
    });
    return { security_group: view(changed) };
  });
  app.delete<One>(`${path}/:id`, async (request, reply) => {
    untilMicroversion(request, 35);
    const id = idOf(request.params.id);
    await change(removalRefusals, () =>
      securityGroups.remove(tables, ownRecord(securityGroups, tables, request.scope, id, "delete")),
    );
    return reply.code(202).send();
  });

  app.post("/os-security-group-rules", async (request) => {
    untilMicroversion(request, 35);
    const asked = partOf(request.body, "security_group_rule") as AskedRule;
    const rule = await change(refusals, () => addRule(context, request.scope, asked));
    const group = tables.securityGroups.get(rule.securityGroupId);
    const rules = group === undefined ? [] : novaGroupView(group, [rule], (id) => tables.securityGroups.get(id)).rules;
    return { security_group_rule: (rules as unknown[])[0] };
  });
  app.delete<One>("/os-security-group-rules/:id", async (request, reply) => {
    untilMicroversion(request, 35);
    const id = idOf(request.params.id);
    await change(removalRefusals, () =>
      securityGroupRules.remove(tables, ownRecord(securityGroupRules, tables, request.scope, id, "delete")),
    );
    return reply.code(202).send();
  });
}

/** @throws ApiError 400, 403, 404 */
function addRule({ tables }: ComputeContext, scope: Scope, asked: AskedRule): SecurityGroupRule {
  const group = visibleRecord(securityGroups, tables, scope, idOf(asked.parent_group_id));
  if (asked.group_id !== undefined && asked.group_id !== null) {
    visibleRecord(securityGroups, tables, scope, idOf(asked.group_id));
  }
  const wanted = ruleOf(asked);
  const own = tables.securityGroupRules.list(({ securityGroupId }) => securityGroupId === group.id);
  if (hasRule(own, wanted)) throw nova.badRequest(`This rule already exists in group ${group.id}`);
  const body = {
    ...{ security_group_id: group.id, direction: "ingress", protocol: wanted.protocol?.toLowerCase() ?? null },
    ethertype: wanted.cidr?.includes(":") ? "IPv6" : "IPv4",
    port_range_min: wanted.from === -1 ? null : wanted.from,
    port_range_max: wanted.to === -1 ? null : wanted.to,
    ...{ remote_ip_prefix: wanted.cidr, remote_group_id: wanted.groupId, project_id: projectOf(scope).id },
  };
  const values = readAttributes(securityGroupRules.attributes, scope, body, "create");
  return createRecord(securityGroupRules, tables, scope, values);
}
