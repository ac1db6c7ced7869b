import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { FastifyInstance } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { isoSeconds } from "../http/time.ts";
import { isAdmin } from "../identity/scope.ts";
import { attribute, readAttributes } from "./attributes.ts";
import { neutron } from "./errors.ts";
import { pickFields, type Query, selectPage, type View } from "./filters.ts";
import type { Agent, NetworkTables } from "./records.ts";
import type { NetworkContext } from "./routes.ts";
import { isObject, nullOr, text, toBoolean } from "./validators.ts";
import { zone } from "./zones.ts";

const attributes = {
  id: attribute<string>("f"),
  agent_type: attribute<string>("f"),
  binary: attribute<string>("f"),
  topic: attribute<string>("f"),
  host: attribute<string>("fs"),
  admin_state_up: attribute<boolean>("uf", { convert: toBoolean }),
  alive: attribute<boolean>("f", { convert: toBoolean }),
  description: attribute<string | null>("uf", { validate: nullOr(text(255)) }),
  availability_zone: attribute<string>("f"),
};

/** What of this cloud does the work of which of Neutron's agents. Nothing serves DHCP or metadata. */
const kinds = {
  l2: { agent_type: "Linux bridge agent", binary: "neutron-linuxbridge-agent", topic: "N/A", availability_zone: null },
  l3: { agent_type: "L3 agent", binary: "neutron-l3-agent", topic: "l3_agent", availability_zone: zone },
} as const;

interface One {
  Params: { id: string };
  Querystring: Query;
}

/** `/v2.0/agents`, for administrators: the one host's, which are this process and run while it does. */
export function agentRoutes(app: FastifyInstance, { store, tables }: NetworkContext): void {
  const startedAt = plainTime();
  const viewOf = (agent: Agent): View => ({
    id: agent.id,
    ...kinds[agent.kind],
    host: hostname(),
    admin_state_up: agent.adminStateUp,
    created_at: agent.createdAt,
    started_at: startedAt,
    heartbeat_timestamp: plainTime(),
    description: agent.description,
    resources_synced: null,
    alive: true,
    configurations: agent.kind === "l2" ? bridgeConfiguration(tables) : routingConfiguration(tables),
  });
  const all = () => store.transaction(() => presentAgents(tables));
  const find = (id: string): Agent => {
    const found = all().find((agent) => agent.id === id);
    if (found === undefined) throw new ApiError(404, `Agent ${id} could not be found.`, "AgentNotFound");
    return found;
  };

  app.get<{ Querystring: Query }>("/agents", ({ scope, query }) => {
    const views = isAdmin(scope) ? all().map(viewOf) : [];
    return { agents: selectPage({ views, attributes, query, url: "", notFound: neutron.notSupported }).views };
  });
  app.addHook("onRequest", async ({ scope, routeOptions }) => {
    if (routeOptions.url?.endsWith("/agents/:id") && !isAdmin(scope)) throw neutron.notSupported();
  });
  app.get<One>("/agents/:id", ({ params, query }) => ({ agent: pickFields(viewOf(find(params.id)), query) }));
  app.put<One>("/agents/:id", ({ scope, params, body }) => {
    const given = isObject(body) ? body.agent : undefined;
    if (given === undefined || given === null) throw neutron.badRequest("Unable to find 'agent' in request body");
    const change = readAttributes({ ...fixed, ...attributes }, scope, given, "update");
    return store.transaction(() => {
      const agent = find(params.id);
      const changed: Agent = {
        ...agent,
        adminStateUp: change.admin_state_up ?? agent.adminStateUp,
        description: change.description === undefined ? agent.description : change.description,
      };
      return { agent: viewOf(tables.agents.put(changed)) };
    });
  });
  app.delete<One>("/agents/:id", ({ params }, reply) => {
    // it reports again, as another one
    store.transaction(() => tables.agents.delete(find(params.id).id));
    return reply.code(204).send();
  });
}

/** Shown and not to be changed. */
const fixed = {
  created_at: attribute<string>(""),
  started_at: attribute<string>(""),
  heartbeat_timestamp: attribute<string>(""),
  configurations: attribute<object>(""),
  resources_synced: attribute<boolean>(""),
};

/** As Neutron writes moments of agents. */
const plainTime = () => isoSeconds().replace("T", " ").replace("Z", "");

function presentAgents(tables: NetworkTables): Agent[] {
  return (["l2", "l3"] as const).map(
    (kind) =>
      tables.agents.find((agent) => agent.kind === kind) ??
      tables.agents.put({ id: randomUUID(), kind, adminStateUp: true, description: null, createdAt: plainTime() }),
  );
}

function bridgeConfiguration(tables: NetworkTables) {
  return {
    ...{ bridge_mappings: {}, devices: tables.ports.list(({ device }) => device !== undefined).length, extensions: [] },
    ...{ interface_mappings: {}, l2_population: false, tunnel_types: [] },
  };
}

function routingConfiguration(tables: NetworkTables) {
  const routers = tables.routers.list();
  return {
    agent_mode: "legacy",
    ex_gw_ports: routers.filter(({ gateway }) => gateway !== null).length,
    extensions: ["port_forwarding"],
    floating_ips: tables.floatingIps.list(({ routerId }) => routerId !== null).length,
    handle_internal_only_routers: true,
    interfaces: tables.ports.list(({ device }) => device?.kind === "router").length,
    log_agent_heartbeats: false,
    routers: routers.length,
  };
}
