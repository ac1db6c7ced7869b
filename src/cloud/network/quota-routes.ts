import type { FastifyInstance } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import { neutron } from "./errors.ts";
import { limitOf } from "./quota-limits.ts";
import type { NetworkRecord } from "./records.ts";
import type { NetworkResource } from "./resource.ts";
import type { NetworkContext } from "./routes.ts";
import { isObject, toInteger } from "./validators.ts";

type OfProject = { Params: { project: string } };

/** As large as a number in the database can be. */
const largest = 2 ** 31 - 1;

/** `/v2.0/quotas`: what projects may have, which administrators change. */
export function quotaRoutes(
  app: FastifyInstance,
  { store, tables }: NetworkContext,
  kinds: NetworkResource<NetworkRecord>[],
): void {
  const counted = kinds.flatMap((kind) => (kind.quota === undefined ? [] : [{ ...kind, kind, usual: kind.quota }]));
  const usual = Object.fromEntries(counted.map(({ singular, usual: limit }) => [singular, limit]));
  const limitsOf = (project: string) =>
    Object.fromEntries(
      counted.map(({ singular, usual: limit }) => [singular, limitOf(tables, project, singular, limit)]),
    );
  const visible = (scope: Scope, projectId: string) => {
    if (!owns(scope, projectId)) throw neutron.notAuthorized("get_quota");
  };
  const demandAdmin = (scope: Scope, action: string) => {
    if (!isAdmin(scope)) throw neutron.notAuthorized(action);
  };

  app.get("/quotas", ({ scope }) => {
    demandAdmin(scope, "get_quota");
    return { quotas: tables.quotas.list().map(({ id }) => ({ ...limitsOf(id), tenant_id: id, project_id: id })) };
  });
  app.get<OfProject>("/quotas/:project", ({ scope, params }) => {
    visible(scope, params.project);
    return { quota: limitsOf(params.project) };
  });
  app.get<OfProject>("/quotas/:project/default", ({ scope, params }) => {
    visible(scope, params.project);
    return { quota: usual };
  });
  for (const path of ["/quotas/:project/details", "/quotas/:project/details.json"]) {
    app.get<OfProject>(path, ({ scope, params }) => {
      visible(scope, params.project);
      const details = counted.map(({ singular, usual: limit, kind }) => {
        const used = kind.table(tables).list((record) => record.projectId === params.project).length;
        return [singular, { limit: limitOf(tables, params.project, singular, limit), used, reserved: 0 }];
      });
      return { quota: Object.fromEntries(details) };
    });
  }
  app.put<OfProject>("/quotas/:project", ({ scope, params, body }) => {
    demandAdmin(scope, "update_quota");
    const given = isObject(body) ? body.quota : undefined;
    if (!isObject(given)) throw neutron.badRequest("Unable to find 'quota' in request body");
    const { tenant_id: _tenant, project_id: _project, check_limit: checks, ...wanted } = given;
    const limits = Object.fromEntries(
      Object.entries(wanted).map(([name, limit]) => [name, readLimit(usual, name, limit)]),
    );
    if (checks === true || checks === "True") {
      for (const { singular, kind } of counted) {
        const used = kind.table(tables).list((record) => record.projectId === params.project).length;
        const limit = limits[singular];
        if (limit !== undefined && limit >= 0 && limit < used) throw belowUsage(params.project, singular, used, limit);
      }
    }
    store.transaction(() =>
      tables.quotas.put({ id: params.project, limits: { ...tables.quotas.get(params.project)?.limits, ...limits } }),
    );
    return { quota: limitsOf(params.project) };
  });
  app.delete<OfProject>("/quotas/:project", ({ scope, params }, reply) => {
    demandAdmin(scope, "delete_quota");
    if (tables.quotas.get(params.project) === undefined) {
      throw new ApiError(404, `Quota for tenant ${params.project} could not be found.`, "TenantQuotaNotFound");
    }
    store.transaction(() => tables.quotas.delete(params.project));
    return reply.code(204).send();
  });
}

function readLimit(usual: Record<string, number>, name: string, value: unknown): number {
  if (!(name in usual)) throw neutron.badRequest(`Unrecognized attribute(s) '${name}'`);
  const limit = toInteger(value) as number;
  if (limit >= -1 && limit <= largest) return limit;
  const reason =
    limit < -1
      ? `'${limit}' is too small - must be at least '-1'`
      : `'${limit}' is too large - must be no larger than '${largest}'`;
  throw neutron.badRequest(`Invalid input for ${name}. Reason: ${reason}.`);
}

const belowUsage = (project: string, resource: string, used: number, limit: number) =>
  neutron.bad(
    "quotas",
    `Quota limit ${limit} for ${resource} is below the current usage ${used} of project ${project}`,
  );
