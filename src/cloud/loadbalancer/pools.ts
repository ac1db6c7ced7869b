import type { FastifyInstance } from "fastify";
import {
  type BalancerContext,
  changedRecord,
  demandWriter,
  listed,
  newRecord,
  pendUpdate,
  takeForChange,
  visible,
} from "./context.ts";
import { octavia } from "./errors.ts";
import { addMonitor } from "./health-monitors.ts";
import { page, type Query } from "./listing.ts";
import { addMember } from "./members.ts";
import { parseAsked } from "./parse.ts";
import { demandQuota } from "./quotas.ts";
import type { Listener, LoadBalancer, Pool, SessionPersistence } from "./records.ts";
import { type AskedPool, type AskedPoolChange, bodies } from "./schemas.ts";
import { poolView } from "./views.ts";

interface One {
  Params: { id: string };
}

/** What a pool may speak where its listener speaks something. */
const fitting: Record<Listener["protocol"], readonly Pool["protocol"][]> = {
  TCP: ["HTTP", "HTTPS", "PROXY", "PROXYV2", "TCP"],
  HTTP: ["HTTP", "PROXY", "PROXYV2"],
  HTTPS: ["HTTPS", "PROXY", "PROXYV2", "TCP"],
};

/** `/v2.0/lbaas/pools`; behind `requireToken`. */
export function poolRoutes(app: FastifyInstance, context: BalancerContext): void {
  const { store, balancers, provisioning, base } = context;
  const { pools, listeners } = balancers;
  const usersOf = (pool: Pool) => listeners.list(({ default_pool_id }) => default_pool_id === pool.id);
  const take = (pool: Pool) => {
    takeForChange(context, pool.loadbalancer_id);
    pendUpdate(listeners, usersOf(pool));
  };

  app.get<{ Querystring: Query & { project_id?: string } }>("/pools", ({ scope, query }) => {
    const views = listed(pools, scope, query.project_id).map((pool) => poolView(balancers, pool));
    return page("pools", views, query, `${base()}/load-balancer/v2.0/lbaas/pools`);
  });
  app.post("/pools", ({ scope, body }, reply) => {
    demandWriter(scope);
    const { listener_id, loadbalancer_id, project_id: _project, ...asked } = parseAsked(bodies.pool.create, body).pool;
    const made = store.transaction(() => {
      const listener = listener_id ? visible(listeners, scope, "Listener", listener_id) : undefined;
      const ownerId = loadbalancer_id ?? listener?.loadbalancer_id;
      if (ownerId === undefined) {
        throw octavia.invalid("Must provide at least one of: loadbalancer_id, listener_id");
      }
      const owner = visible(balancers.loadBalancers, scope, "Load Balancer", ownerId);
      if (listener !== undefined) {
        if (listener.default_pool_id !== null) throw octavia.duplicatePool();
        demandFitting(listener.protocol, asked.protocol);
      }
      takeForChange(context, owner.id);
      const pool = addPool(context, owner, asked);
      if (listener !== undefined) {
        listeners.put({ ...listener, default_pool_id: pool.id, provisioning_status: "PENDING_UPDATE" });
      }
      return pool;
    });
    provisioning.begin(made.loadbalancer_id);
    return reply.code(201).send({ pool: poolView(balancers, made) });
  });
  app.get<One>("/pools/:id", ({ scope, params }) => ({
    pool: poolView(balancers, visible(pools, scope, "Pool", params.id)),
  }));
  app.put<One>("/pools/:id", ({ scope, params, body }) => {
    demandWriter(scope);
    const asked = parseAsked(bodies.pool.update, body).pool;
    const changed = store.transaction(() => {
      const pool = visible(pools, scope, "Pool", params.id);
      demandPossible(asked);
      const { session_persistence, ...rest } = withoutCertificates(asked);
      take(pool);
      const persistence =
        session_persistence === undefined ? {} : { session_persistence: persistenceOf(session_persistence) };
      return pools.put(changedRecord(pool, { ...rest, ...persistence }, { name: "", description: "" }));
    });
    provisioning.begin(changed.loadbalancer_id);
    return { pool: poolView(balancers, changed) };
  });
  app.delete<One>("/pools/:id", ({ scope, params }, reply) => {
    demandWriter(scope);
    const pool = store.transaction(() => {
      const pool = visible(pools, scope, "Pool", params.id);
      take(pool);
      for (const listener of usersOf(pool)) {
        listeners.put({ ...listener, default_pool_id: null, provisioning_status: "PENDING_UPDATE" });
      }
      for (const member of balancers.members.list(({ pool_id }) => pool_id === pool.id)) {
        balancers.members.put({ ...member, provisioning_status: "PENDING_DELETE" });
      }
      for (const monitor of balancers.healthMonitors.list(({ pool_id }) => pool_id === pool.id)) {
        balancers.healthMonitors.put({ ...monitor, provisioning_status: "PENDING_DELETE" });
      }
      return pools.put({ ...pool, provisioning_status: "PENDING_DELETE" });
    });
    provisioning.begin(pool.loadbalancer_id);
    return reply.code(204).send();
  });
}

/** Makes a pool with its monitor and members, in the transaction of whoever asks. @throws ApiError 400, 403, 501 */
export function addPool(
  context: BalancerContext,
  owner: LoadBalancer,
  asked: Omit<AskedPool, "project_id" | "listener_id" | "loadbalancer_id">,
): Pool {
  const { balancers } = context;
  demandPossible(asked);
  const { protocol, lb_algorithm: algorithm } = asked;
  if (protocol === "UDP" || protocol === "SCTP") throw octavia.unsupported(`${protocol} pools`);
  demandQuota(balancers, owner.project_id, "pool");
  const pool = balancers.pools.put({
    ...newRecord(owner.project_id, asked),
    ...{ description: asked.description ?? "", loadbalancer_id: owner.id, protocol },
    lb_algorithm: algorithm as Pool["lb_algorithm"],
    session_persistence: persistenceOf(asked.session_persistence),
    tls_enabled: asked.tls_enabled ?? false,
  });
  if (asked.healthmonitor) addMonitor(context, pool, asked.healthmonitor);
  for (const member of asked.members ?? []) addMember(context, pool, member);
  return pool;
}

/** @throws ApiError 400 */
export function demandFitting(listener: Listener["protocol"], pool: string): void {
  if (fitting[listener].some((protocol) => protocol === pool)) return;
  throw octavia.invalid(`The pool protocol '${pool}' is invalid while the listener protocol is '${listener}'.`);
}

const certificates = ["tls_container_ref", "ca_tls_container_ref", "crl_container_ref"] as const;
const tlsDetails = ["tls_ciphers", "tls_versions", "alpn_protocols"] as const;

/** @throws ApiError 400, 501 for what this cloud has not got */
function demandPossible(asked: AskedPoolChange): void {
  for (const field of certificates) {
    if (asked[field]) throw octavia.invalid(`Could not retrieve certificate: ['${asked[field]}']`);
  }
  for (const field of tlsDetails) if (asked[field]) throw octavia.unsupported(field);
  if (asked.lb_algorithm === "SOURCE_IP_PORT") throw octavia.unsupported("SOURCE_IP_PORT");
}

function withoutCertificates(asked: AskedPoolChange) {
  const entries = Object.entries(asked).filter(
    ([key]) => ![...certificates, ...tlsDetails].some((name) => name === key),
  );
  return Object.fromEntries(entries) as AskedPoolChange;
}

/** A cookie's name is a token (RFC 2616, 2.2). @throws ApiError 400 in Octavia's words */
export function persistenceOf(asked: AskedPool["session_persistence"]): SessionPersistence | null {
  if (!asked) return null;
  const { type, cookie_name = null, persistence_timeout, persistence_granularity } = asked;
  if (persistence_timeout || persistence_granularity) {
    throw octavia.invalid("persistence_timeout and persistence_granularity is only for UDP protocol pools.");
  }
  if (cookie_name && type !== "APP_COOKIE") {
    throw octavia.invalid('Field "cookie_name" can only be specified with session persistence of type "APP_COOKIE".');
  }
  if (!cookie_name && type === "APP_COOKIE") {
    throw octavia.invalid(
      'Field "cookie_name" must be specified when using the "APP_COOKIE" session persistence type.',
    );
  }
  if (cookie_name && /[^!#$%&'*+.0-9A-Z^_`a-z|~-]/.test(cookie_name)) {
    throw octavia.invalid('Supplied "cookie_name" is invalid.');
  }
  return { type, cookie_name, persistence_timeout: null, persistence_granularity: null };
}
