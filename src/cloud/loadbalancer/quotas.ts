import type { FastifyInstance } from "fastify";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import type { BalancerContext } from "./context.ts";
import { octavia } from "./errors.ts";
import { parseAsked } from "./parse.ts";
import type { BalancerTables } from "./records.ts";
import { bodies } from "./schemas.ts";

/** What a project may have where nobody said otherwise; -1 is any number. */
const defaults: Record<string, number> = {
  loadbalancer: 10,
  listener: 100,
  pool: 100,
  member: 500,
  healthmonitor: 100,
  l7policy: 0,
  l7rule: 0,
};

const countedIn = {
  loadbalancer: (tables: BalancerTables) => tables.loadBalancers,
  listener: (tables: BalancerTables) => tables.listeners,
  pool: (tables: BalancerTables) => tables.pools,
  member: (tables: BalancerTables) => tables.members,
  healthmonitor: (tables: BalancerTables) => tables.healthMonitors,
};

const resourceNames = {
  loadbalancer: "Load Balancer",
  listener: "Listener",
  pool: "Pool",
  member: "Member",
  healthmonitor: "Health Monitor",
};

/** @throws ApiError 403 where the project has as many as it may */
export function demandQuota(tables: BalancerTables, projectId: string, kind: keyof typeof countedIn): void {
  const limit = tables.quotas.get(projectId)?.limits[kind] ?? defaults[kind] ?? 0;
  const used = countedIn[kind](tables).list((record: { project_id: string }) => record.project_id === projectId).length;
  if (limit >= 0 && used >= limit) throw octavia.overQuota(resourceNames[kind]);
}

interface OfProject {
  Params: { project: string };
}

/** `/v2.0/lbaas/quotas`; behind `requireToken`. */
export function quotaRoutes(app: FastifyInstance, { store, balancers }: BalancerContext): void {
  const { quotas } = balancers;
  // the names of what a project has, two of which a list tells twice
  const view = ({ loadbalancer, healthmonitor, ...limits }: Record<string, number>) => ({
    ...limits,
    load_balancer: loadbalancer,
    health_monitor: healthmonitor,
  });
  const limitsOf = (projectId: string) => ({ ...defaults, ...quotas.get(projectId)?.limits });
  const quotaOf = (projectId: string) => ({ quota: view(limitsOf(projectId)) });
  const demandAdmin = (scope: Scope) => {
    if (!isAdmin(scope)) throw octavia.forbidden();
  };

  app.get("/quotas", ({ scope }) => {
    const seen = quotas.list(({ id }) => owns(scope, id));
    const listed = seen.map(({ id }) => ({ project_id: id, ...limitsOf(id), ...quotaOf(id).quota }));
    return { quotas: listed, quotas_links: [] };
  });
  app.get("/quotas/defaults", ({ scope }) => {
    demandAdmin(scope);
    return { quota: view(defaults) };
  });
  app.get<OfProject>("/quotas/:project", ({ scope, params }) => {
    if (!owns(scope, params.project)) throw octavia.forbidden();
    return quotaOf(params.project);
  });
  app.get<OfProject>("/quotas/:project/default", ({ scope, params }) => {
    if (!owns(scope, params.project)) throw octavia.forbidden();
    return { quota: view(defaults) };
  });
  app.put<OfProject>("/quotas/:project", ({ scope, params, body }, reply) => {
    demandAdmin(scope);
    const { load_balancer, health_monitor, ...asked } = parseAsked(bodies.quota, body).quota;
    const wanted = Object.entries({ loadbalancer: load_balancer, healthmonitor: health_monitor, ...asked });
    store.transaction(() => {
      const limits = { ...quotas.get(params.project)?.limits };
      for (const [kind, limit] of wanted) {
        if (limit === undefined) continue;
        if (!(kind in defaults)) throw octavia.invalidOption(kind, "quota");
        limits[kind] = limit ?? defaults[kind] ?? 0;
      }
      quotas.put({ id: params.project, limits });
    });
    return reply.code(202).send(quotaOf(params.project));
  });
  app.delete<OfProject>("/quotas/:project", ({ scope, params }, reply) => {
    demandAdmin(scope);
    if (quotas.get(params.project) === undefined) throw octavia.notFound("Quotas", params.project);
    quotas.delete(params.project);
    return reply.code(204).send();
  });
}
