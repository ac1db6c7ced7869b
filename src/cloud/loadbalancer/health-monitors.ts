import type { FastifyInstance } from "fastify";
import {
  type BalancerContext,
  changedRecord,
  demandWriter,
  listed,
  newRecord,
  takePoolForChange,
  visible,
} from "./context.ts";
import { octavia } from "./errors.ts";
import { page, type Query } from "./listing.ts";
import { parseAsked } from "./parse.ts";
import { demandQuota } from "./quotas.ts";
import type { HealthMonitor, Pool } from "./records.ts";
import { type AskedMonitor, bodies } from "./schemas.ts";
import { monitorView } from "./views.ts";

interface One {
  Params: { id: string };
  Querystring: Query;
}

const httpDefaults = { http_method: "GET", url_path: "/", expected_codes: "200" };

/** `/v2.0/lbaas/healthmonitors`; behind `requireToken`. */
export function healthMonitorRoutes(app: FastifyInstance, context: BalancerContext): void {
  const { store, balancers, provisioning, base } = context;
  const { healthMonitors, pools } = balancers;
  const path = "/healthmonitors";
  const one = (request: { scope: Parameters<typeof visible>[1]; params: { id: string } }) =>
    visible(healthMonitors, request.scope, "Health Monitor", request.params.id);
  /** The change is the pool's, and its balancer's, as well. */
  const take = ({ pool_id }: HealthMonitor) => {
    const pool = pools.get(pool_id) as Pool;
    takePoolForChange(context, pool);
    return pool.loadbalancer_id;
  };

  app.get<{ Querystring: Query & { project_id?: string } }>(path, ({ scope, query }) => {
    const views = listed(healthMonitors, scope, query.project_id).map(monitorView);
    return page("healthmonitors", views, query, `${base()}/load-balancer/v2.0/lbaas${path}`);
  });
  app.post(path, ({ scope, body }, reply) => {
    demandWriter(scope);
    const { pool_id, project_id: _project, ...asked } = parseAsked(bodies.healthMonitor.create, body).healthmonitor;
    const { made, owner } = store.transaction(() => {
      const pool = visible(pools, scope, "Pool", pool_id);
      takePoolForChange(context, pool);
      return { made: addMonitor(context, pool, asked), owner: pool.loadbalancer_id };
    });
    provisioning.begin(owner);
    return reply.code(201).send({ healthmonitor: monitorView(made) });
  });
  app.get<One>(`${path}/:id`, (request) => ({ healthmonitor: monitorView(one(request)) }));
  app.put<One>(`${path}/:id`, (request) => {
    demandWriter(request.scope);
    const asked = parseAsked(bodies.healthMonitor.update, request.body).healthmonitor;
    const { changed, owner } = store.transaction(() => {
      const before = one(request);
      demandFitting(before.type, asked);
      const owner = take(before);
      const defaults = isHttp(before.type) ? httpDefaults : {};
      const changed = changedRecord(before, asked, { name: "", max_retries_down: 3, ...defaults });
      demandVersion(changed);
      return { changed: healthMonitors.put(changed), owner };
    });
    provisioning.begin(owner);
    return { healthmonitor: monitorView(changed) };
  });
  app.delete<One>(`${path}/:id`, (request, reply) => {
    demandWriter(request.scope);
    const owner = store.transaction(() => {
      const monitor = one(request);
      const owner = take(monitor);
      healthMonitors.put({ ...monitor, provisioning_status: "PENDING_DELETE" });
      return owner;
    });
    provisioning.begin(owner);
    return reply.code(204).send();
  });
}

/** Makes the pool's monitor, in the transaction of whoever asks. @throws ApiError 400, 403, 409, 501 */
export function addMonitor({ balancers }: BalancerContext, pool: Pool, asked: AskedMonitor): HealthMonitor {
  const { type } = asked;
  if (type === "PING") throw octavia.disabled("type", type);
  if (type === "UDP-CONNECT" || type === "SCTP") {
    throw octavia.invalid(`The ${type} type is only supported for pools of type UDP/SCTP.`);
  }
  demandFitting(type, asked);
  demandQuota(balancers, pool.project_id, "healthmonitor");
  if (balancers.healthMonitors.find(({ pool_id }) => pool_id === pool.id) !== undefined) {
    throw octavia.duplicateMonitor();
  }
  const http = isHttp(type) ? httpDefaults : { http_method: null, url_path: null, expected_codes: null };
  const monitor: HealthMonitor = {
    ...newRecord(pool.project_id, asked),
    ...{ pool_id: pool.id, type, delay: asked.delay, timeout: asked.timeout },
    ...{ max_retries: asked.max_retries, max_retries_down: asked.max_retries_down ?? 3 },
    http_method: asked.http_method ?? http.http_method,
    url_path: asked.url_path ?? http.url_path,
    expected_codes: asked.expected_codes ?? http.expected_codes,
    http_version: asked.http_version ?? null,
    domain_name: asked.domain_name ?? null,
  };
  demandVersion(monitor);
  for (const member of balancers.members.list(({ pool_id }) => pool_id === pool.id)) {
    balancers.members.put({ ...member, operating_status: "OFFLINE" });
  }
  return balancers.healthMonitors.put(monitor);
}

const isHttp = (type: string) => type === "HTTP" || type === "HTTPS";

function demandFitting(type: string, asked: Partial<Record<keyof typeof httpDefaults, unknown>>): void {
  if (isHttp(type)) return;
  for (const field of Object.keys(httpDefaults) as (keyof typeof httpDefaults)[]) {
    if (asked[field]) throw octavia.invalidOption(field, `health monitors of type ${type}`);
  }
}

function demandVersion({ http_version, domain_name }: HealthMonitor): void {
  if (domain_name === null) return;
  if (http_version === null) {
    throw octavia.invalid("'http_version' must be specified when 'domain_name' is provided.");
  }
  if (http_version < 1.1) {
    throw octavia.invalidOption(
      `http_version ${http_version.toFixed(1)}`,
      "health monitors HTTP 1.1 domain name health check",
    );
  }
}
