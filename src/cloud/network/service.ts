import type { FastifyInstance } from "fastify";
import { answerFaults, keystoneBody } from "../http/faults.ts";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import { requireToken, type Tokens } from "../identity/tokens.ts";
import { neutron } from "./errors.ts";
import { extensions } from "./extensions.ts";
import { floatingIps } from "./floatingips.ts";
import { networks } from "./networks.ts";
import { ports } from "./ports.ts";
import type { NetworkRecord } from "./records.ts";
import { type NetworkResource, ownRecord } from "./resource.ts";
import { addRouterInterface, removeRouterInterface } from "./router-interfaces.ts";
import { routers } from "./routers.ts";
import { type NetworkContext, resourceRoutes } from "./routes.ts";
import { securityGroupRules } from "./security-group-rules.ts";
import { securityGroups } from "./security-groups.ts";
import { subnets } from "./subnets.ts";
import { addSubPorts, removeSubPorts, trunks } from "./trunks.ts";

export interface NetworkOptions extends NetworkContext {
  tokens: Tokens;
  base: () => string;
  log: (line: string) => void;
}

/** Neutron v2.0 below `/network`. */
export async function networkService(app: FastifyInstance, options: NetworkOptions): Promise<void> {
  answerFaults(
    app,
    (reply, error) =>
      reply
        .code(error.status)
        .send(
          error.status === 401
            ? keystoneBody(error)
            : { NeutronError: { type: error.type || "HTTPError", message: error.message, detail: "" } },
        ),
    options.log,
  );
  const version = () => ({
    id: "v2.0",
    status: "CURRENT",
    links: [{ rel: "self", href: `${options.base()}/network/v2.0/` }],
  });
  app.get("/", () => ({ versions: [version()] }));
  await app.register(async (inner) => v2Routes(inner, options), { prefix: "/v2.0" });
}

function v2Routes(app: FastifyInstance, options: NetworkOptions): void {
  app.addHook("onRequest", requireToken(options.tokens, "network"));
  const kinds = [networks, subnets, ports, routers, securityGroups, securityGroupRules, floatingIps, trunks];
  app.get("/", () => ({
    resources: kinds.map(({ singular, path }) => ({
      name: singular,
      collection: `${singular}s`,
      links: [{ rel: "self", href: `${options.base()}/network/v2.0/${path}` }],
    })),
  }));
  resourceRoutes(app, options, networks);
  resourceRoutes(app, options, subnets);
  resourceRoutes(app, options, ports);
  resourceRoutes(app, options, routers);
  resourceRoutes(app, options, securityGroups);
  resourceRoutes(app, options, securityGroupRules);
  resourceRoutes(app, options, floatingIps);
  resourceRoutes(app, options, trunks);
  routerInterfaceRoutes(app, options);
  subPortRoutes(app, options);

  app.get("/extensions", () => ({ extensions }));
  app.get<{ Params: { alias: string } }>("/extensions/:alias", ({ params }) => {
    const extension = extensions.find((item) => item.alias === params.alias);
    if (extension === undefined) throw neutron.extensionNotFound(params.alias);
    return { extension };
  });
  app.get("/availability_zones", () => ({
    availability_zones: ["network", "router"].map((resource) => ({ name: "nova", resource, state: "available" })),
  }));
  app.get("/agents", () => ({ agents: [] }));
  quotaRoutes(app, options, kinds as NetworkResource<NetworkRecord>[]);
}

function routerInterfaceRoutes(app: FastifyInstance, { store, tables, reconcile }: NetworkOptions): void {
  const actions = { add_router_interface: addRouterInterface, remove_router_interface: removeRouterInterface };
  for (const [name, act] of Object.entries(actions)) {
    app.put<{ Params: { id: string } }>(`/routers/:id/${name}`, async ({ scope, params, body }) => {
      const answer = store.transaction(() =>
        act(tables, scope, ownRecord(routers, tables, scope, params.id, name), body),
      );
      await reconcile();
      return answer;
    });
  }
}

function subPortRoutes(app: FastifyInstance, { store, tables }: NetworkOptions): void {
  type One = { Params: { id: string } };
  for (const [name, act] of Object.entries({ add_subports: addSubPorts, remove_subports: removeSubPorts })) {
    app.put<One>(`/trunks/:id/${name}`, ({ scope, params, body }) => {
      const changed = store.transaction(() =>
        tables.trunks.put(act(tables, scope, ownRecord(trunks, tables, scope, params.id, name), body)),
      );
      return trunks.view(tables, changed);
    });
  }
  app.get<One>("/trunks/:id/get_subports", ({ scope, params }) => ({
    sub_ports: ownRecord(trunks, tables, scope, params.id, "get_subports").subPorts,
  }));
}

function quotaRoutes(app: FastifyInstance, { tables }: NetworkOptions, kinds: NetworkResource<NetworkRecord>[]): void {
  const limits = Object.fromEntries(kinds.map(({ singular, quota }) => [singular, quota]));
  const visible = (scope: Scope, projectId: string) => {
    if (!owns(scope, projectId)) throw neutron.notAuthorized("get_quota");
  };
  type OfProject = { Params: { project: string } };
  app.get("/quotas", ({ scope }) => {
    if (!isAdmin(scope)) throw neutron.notAuthorized("get_quotas");
    return { quotas: [] };
  });
  for (const path of ["/quotas/:project", "/quotas/:project/default"]) {
    app.get<OfProject>(path, ({ scope, params }) => {
      visible(scope, params.project);
      return { quota: limits };
    });
  }
  for (const path of ["/quotas/:project/details", "/quotas/:project/details.json"]) {
    app.get<OfProject>(path, ({ scope, params }) => {
      visible(scope, params.project);
      const details = kinds.map((kind) => {
        const used = kind.table(tables).list((record) => record.projectId === params.project).length;
        return [kind.singular, { limit: kind.quota, used, reserved: 0 }];
      });
      return { quota: Object.fromEntries(details) };
    });
  }
}
