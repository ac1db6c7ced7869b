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
import { page, type Query } from "./listing.ts";
import { parseAsked } from "./parse.ts";
import { addPool, demandFitting } from "./pools.ts";
import { demandQuota } from "./quotas.ts";
import type { Listener, LoadBalancer } from "./records.ts";
import { type AskedListener, type AskedListenerChange, bodies } from "./schemas.ts";
import { listenerView } from "./views.ts";
import { openListenerPorts } from "./vip.ts";

interface One {
  Params: { id: string };
}

const timeouts = {
  timeout_client_data: 50_000,
  timeout_member_connect: 5000,
  timeout_member_data: 50_000,
  timeout_tcp_inspect: 0,
};

const known = ["X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto"];

/** `/v2.0/lbaas/listeners`; behind `requireToken`. */
export function listenerRoutes(app: FastifyInstance, context: BalancerContext): void {
  const { store, balancers, tables, provisioning, base } = context;
  const { listeners } = balancers;

  app.get<{ Querystring: Query & { project_id?: string } }>("/listeners", ({ scope, query }) => {
    const views = listed(listeners, scope, query.project_id).map(listenerView);
    return page("listeners", views, query, `${base()}/load-balancer/v2.0/lbaas/listeners`);
  });
  app.post("/listeners", ({ scope, body }, reply) => {
    demandWriter(scope);
    const { default_pool, ...asked } = parseAsked(bodies.listener.create, body).listener;
    const made = store.transaction(() => {
      const owner = visible(balancers.loadBalancers, scope, "Load Balancer", asked.loadbalancer_id);
      takeForChange(context, owner.id);
      const pool = default_pool ? addPool(context, owner, default_pool) : undefined;
      return addListener(context, owner, pool === undefined ? asked : { ...asked, default_pool_id: pool.id });
    });
    provisioning.begin(made.loadbalancer_id);
    return reply.code(201).send({ listener: listenerView(made) });
  });
  app.get<One>("/listeners/:id", ({ scope, params }) => ({
    listener: listenerView(visible(listeners, scope, "Listener", params.id)),
  }));
  app.get<One>("/listeners/:id/stats", async ({ scope, params }) => ({
    stats: await provisioning.trafficOf([visible(listeners, scope, "Listener", params.id)]),
  }));
  app.put<One>("/listeners/:id", ({ scope, params, body }) => {
    demandWriter(scope);
    const asked = parseAsked(bodies.listener.update, body).listener;
    const changed = store.transaction(() => {
      const listener = visible(listeners, scope, "Listener", params.id);
      demandPossible(listener.protocol, asked);
      if (asked.default_pool_id) demandPool(context, listener, asked.default_pool_id);
      const owner = takeForChange(context, listener.loadbalancer_id);
      const pool = balancers.pools.get(asked.default_pool_id ?? "");
      if (pool !== undefined) pendUpdate(balancers.pools, [pool]);
      const changed = listeners.put(changedRecord(listener, withoutTls(asked), defaults));
      openListenerPorts(tables, owner, lasting(context, owner));
      return changed;
    });
    provisioning.begin(changed.loadbalancer_id);
    return { listener: listenerView(changed) };
  });
  app.delete<One>("/listeners/:id", ({ scope, params }, reply) => {
    demandWriter(scope);
    const listener = store.transaction(() => {
      const listener = visible(listeners, scope, "Listener", params.id);
      const owner = takeForChange(context, listener.loadbalancer_id);
      listeners.put({ ...listener, provisioning_status: "PENDING_DELETE" });
      openListenerPorts(tables, owner, lasting(context, owner));
      return listener;
    });
    provisioning.begin(listener.loadbalancer_id);
    return reply.code(204).send();
  });
}

const defaults = { name: "", description: "", connection_limit: -1, insert_headers: {}, ...timeouts };

/** Makes a listener, in the transaction of whoever asks. @throws ApiError 400, 403, 409, 501 */
export function addListener(
  context: BalancerContext,
  owner: LoadBalancer,
  asked: Omit<AskedListener, "loadbalancer_id" | "default_pool">,
): Listener {
  const { balancers, tables } = context;
  const { protocol, protocol_port } = asked;
  if (protocol === "TERMINATED_HTTPS" && !asked.default_tls_container_ref && !asked.sni_container_refs?.length) {
    throw octavia.invalid(
      "An SNI or default certificate container reference must be provided for TERMINATED_HTTPS protocol listeners.",
    );
  }
  if (protocol === "TERMINATED_HTTPS" || protocol === "PROMETHEUS") throw octavia.disabled("protocol", protocol);
  if (protocol === "UDP" || protocol === "SCTP") throw octavia.unsupported(`${protocol} listeners`);
  if (asked.l7policies?.length) throw octavia.unsupported("l7policies");
  demandPossible(protocol, asked);
  demandQuota(balancers, owner.project_id, "listener");
  const rival = balancers.listeners.find(
    (other) => other.loadbalancer_id === owner.id && other.protocol_port === protocol_port,
  );
  if (rival !== undefined) throw octavia.duplicateListener(rival.protocol, protocol_port);
  const listener: Listener = {
    ...newRecord(owner.project_id, asked),
    ...{ description: asked.description ?? "", loadbalancer_id: owner.id, protocol, protocol_port },
    connection_limit: asked.connection_limit ?? -1,
    default_pool_id: asked.default_pool_id ?? null,
    insert_headers: asked.insert_headers ?? {},
    timeout_client_data: asked.timeout_client_data ?? timeouts.timeout_client_data,
    timeout_member_connect: asked.timeout_member_connect ?? timeouts.timeout_member_connect,
    timeout_member_data: asked.timeout_member_data ?? timeouts.timeout_member_data,
    timeout_tcp_inspect: asked.timeout_tcp_inspect ?? timeouts.timeout_tcp_inspect,
    allowed_cidrs: asked.allowed_cidrs?.length ? asked.allowed_cidrs : null,
    counted: { bytes_in: 0, bytes_out: 0, active_connections: 0, total_connections: 0, request_errors: 0 },
  };
  if (listener.default_pool_id !== null) demandPool(context, listener, listener.default_pool_id);
  const made = balancers.listeners.put(listener);
  openListenerPorts(tables, owner, lasting(context, owner));
  return made;
}

function lasting({ balancers }: BalancerContext, owner: LoadBalancer): Listener[] {
  return balancers.listeners.list(
    (one) => one.loadbalancer_id === owner.id && one.provisioning_status !== "PENDING_DELETE",
  );
}

function demandPool({ balancers }: BalancerContext, listener: Listener, id: string): void {
  const pool = balancers.pools.get(id);
  if (pool === undefined || pool.loadbalancer_id !== listener.loadbalancer_id) throw octavia.notFound("Pool", id);
  demandFitting(listener.protocol, pool.protocol);
}

const tlsFields = [
  "default_tls_container_ref",
  "sni_container_refs",
  "client_ca_tls_container_ref",
  "client_authentication",
  "client_crl_container_ref",
  "tls_ciphers",
  "tls_versions",
  "alpn_protocols",
  "hsts_max_age",
  "hsts_include_subdomains",
  "hsts_preload",
] as const;

/** @throws ApiError 400 in Octavia's words */
function demandPossible(protocol: Listener["protocol"], asked: AskedListenerChange): void {
  const { default_tls_container_ref, sni_container_refs, client_ca_tls_container_ref, insert_headers } = asked;
  if (default_tls_container_ref || sni_container_refs?.length || client_ca_tls_container_ref) {
    throw octavia.invalid(`Certificate container references are not allowed on ${protocol} protocol listeners.`);
  }
  const headers = Object.keys(insert_headers ?? {});
  if (headers.length > 0 && protocol !== "HTTP") {
    throw octavia.invalidOption("insert-headers", `a ${protocol} protocol listener.`);
  }
  const unknown = headers.filter((header) => !known.includes(header));
  if (unknown.length > 0) throw octavia.invalidOption(`[${headers.map((h) => `'${h}'`).join(", ")}]`, "insert_headers");
}

function withoutTls(asked: AskedListenerChange): Record<string, unknown> {
  return Object.fromEntries(Object.entries(asked).filter(([key]) => !tlsFields.some((name) => name === key)));
}
