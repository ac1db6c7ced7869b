import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { isSet } from "../identity/listing.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import { type BalancerContext, changedRecord, demandWriter, listed, newRecord, visible } from "./context.ts";
import { octavia } from "./errors.ts";
import { addListener } from "./listeners.ts";
import { page, type Query } from "./listing.ts";
import { parseAsked } from "./parse.ts";
import { addPool } from "./pools.ts";
import { demandQuota } from "./quotas.ts";
import { familyOf, type LoadBalancer, type Pool } from "./records.ts";
import { type AskedLoadBalancer, type AskedPool, bodies } from "./schemas.ts";
import { fullLoadBalancerView, loadBalancerView, statusTree } from "./views.ts";
import { takeVip } from "./vip.ts";

interface One {
  Params: { id: string };
  Querystring: Query;
}

/** `/v2.0/lbaas/loadbalancers`; behind `requireToken`. */
export function loadBalancerRoutes(app: FastifyInstance, context: BalancerContext): void {
  const { store, balancers, provisioning, base } = context;
  const { loadBalancers } = balancers;
  const path = "/loadbalancers";
  const one = (scope: Scope, id: string) => visible(loadBalancers, scope, "Load Balancer", id);

  app.get<{ Querystring: Query & { project_id?: string } }>(path, ({ scope, query }) => {
    const views = listed(loadBalancers, scope, query.project_id).map((item) => loadBalancerView(balancers, item));
    return page("loadbalancers", views, query, `${base()}/load-balancer/v2.0/lbaas${path}`);
  });
  app.post(path, ({ scope, body }, reply) => {
    demandWriter(scope);
    const asked = parseAsked(bodies.loadBalancer.create, body).loadbalancer;
    const made = store.transaction(() => {
      const balancer = newLoadBalancer(context, scope, asked);
      addGraph(context, balancer, asked);
      return balancer;
    });
    provisioning.begin(made.id);
    return reply.code(201).send({ loadbalancer: fullLoadBalancerView(balancers, made) });
  });
  app.get<One>(`${path}/:id`, ({ scope, params }) => ({
    loadbalancer: loadBalancerView(balancers, one(scope, params.id)),
  }));
  app.put<One>(`${path}/:id`, ({ scope, params, body }) => {
    demandWriter(scope);
    const {
      vip_qos_policy_id: qos,
      vip_sg_ids: groups,
      ...asked
    } = parseAsked(bodies.loadBalancer.update, body).loadbalancer;
    const changed = store.transaction(() => {
      const balancer = one(scope, params.id);
      demandPossible({ vip_qos_policy_id: qos, vip_sg_ids: groups });
      const { provisioning_status: state } = balancer;
      if (state !== "ACTIVE") throw octavia.pending(state, balancer.id);
      return loadBalancers.put(changedRecord(balancer, asked, { name: "", description: "" }));
    });
    provisioning.begin(changed.id);
    return { loadbalancer: loadBalancerView(balancers, changed) };
  });
  app.delete<One>(`${path}/:id`, ({ scope, params, query }, reply) => {
    demandWriter(scope);
    store.transaction(() => {
      const balancer = one(scope, params.id);
      const { listeners, pools } = familyOf(balancers, balancer.id);
      if (listeners.length + pools.length > 0 && !isSet(query.cascade)) {
        throw octavia.invalid(`Cannot delete Load Balancer ${balancer.id} - it has children`);
      }
      const { provisioning_status: state } = balancer;
      if (state !== "ACTIVE" && state !== "ERROR") throw octavia.pending(state, balancer.id);
      loadBalancers.put({ ...balancer, provisioning_status: "PENDING_DELETE" });
    });
    provisioning.begin(params.id);
    return reply.code(204).send();
  });
  for (const name of ["status", "statuses"]) {
    app.get<One>(`${path}/:id/${name}`, ({ scope, params }) => ({
      statuses: statusTree(balancers, one(scope, params.id)),
    }));
  }
  app.get<One>(`${path}/:id/stats`, async ({ scope, params }) => ({
    stats: await provisioning.trafficOf(familyOf(balancers, one(scope, params.id).id).listeners),
  }));
  app.put<One>(`${path}/:id/failover`, ({ scope, params }) => {
    if (!isAdmin(scope)) throw octavia.forbidden();
    one(scope, params.id);
    throw octavia.unsupportedAction("failover");
  });
}

/** @throws ApiError 400, 403, 404, 409 */
function newLoadBalancer(context: BalancerContext, scope: Scope, asked: AskedLoadBalancer): LoadBalancer {
  const { balancers, tables } = context;
  const own = projectOf(scope).id;
  const projectId = asked.project_id ?? asked.tenant_id ?? own;
  if (projectId !== own && !isAdmin(scope)) throw octavia.forbidden();
  demandPossible(asked);
  const { provider } = asked;
  if (provider && provider !== "amphora" && provider !== "octavia") throw octavia.providerNotEnabled(provider);
  if (asked.flavor_id) throw octavia.invalid(`Invalid flavor_id.`);
  if (asked.availability_zone) throw octavia.invalid("Invalid availability zone.");
  demandQuota(balancers, projectId, "loadbalancer");
  const id = randomUUID();
  const name = asked.name ?? "";
  return balancers.loadBalancers.put({
    ...newRecord(projectId, asked),
    ...{ id, description: asked.description ?? "" },
    ...takeVip(tables, scope, { id, name, projectId }, asked),
  });
}

/** @throws ApiError 400, 501 */
function demandPossible(asked: Pick<AskedLoadBalancer, "vip_qos_policy_id" | "vip_sg_ids" | "additional_vips">): void {
  if (asked.vip_qos_policy_id) throw octavia.invalid("VIP QoS policy is not allowed in this deployment.");
  if (asked.additional_vips?.length) throw octavia.unsupported("additional_vips");
  if (asked.vip_sg_ids?.length) throw octavia.unsupported("vip_sg_ids");
}

/** Makes what a whole load balancer was asked for with; pools are found by their names. */
function addGraph(context: BalancerContext, balancer: LoadBalancer, asked: AskedLoadBalancer): void {
  const inListeners = (asked.listeners ?? []).flatMap(({ default_pool }) => default_pool ?? []);
  const named = [...(asked.pools ?? []), ...inListeners.filter(({ protocol }) => protocol !== undefined)];
  if ([...named, ...inListeners].some(({ name }) => !name)) {
    throw octavia.invalid("Pools must be named when creating a fully populated loadbalancer.");
  }
  const names = named.map(({ name }) => name ?? "");
  if (new Set(names).size < names.length) {
    throw octavia.invalid("Pool names must be unique when creating a fully populated loadbalancer.");
  }
  const pools = new Map<string, Pool>();
  for (const pool of named) {
    for (const field of ["protocol", "lb_algorithm"] as const) {
      if (pool[field] === undefined) {
        throw octavia.invalid(`Pool definition for '${pool.name}' missing required attribute: ${field}`);
      }
    }
    pools.set(pool.name ?? "", addPool(context, balancer, pool as AskedPool));
  }
  for (const { default_pool, ...listener } of asked.listeners ?? []) {
    const pool = default_pool ? pools.get(default_pool.name ?? "") : undefined;
    if (default_pool && pool === undefined) {
      throw octavia.invalid(`Pool '${default_pool.name}' was referenced but no full definition was found.`);
    }
    addListener(context, balancer, pool === undefined ? listener : { ...listener, default_pool_id: pool.id });
  }
}
