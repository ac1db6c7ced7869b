import type { FastifyInstance, FastifyReply } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { answerFaults, keystoneBody } from "../http/faults.ts";
import { readJson } from "../http/json-body.ts";
import { requireToken, type Tokens } from "../identity/tokens.ts";
import { addAddresses, addressesView, addressGroups, removeAddresses } from "./address-groups.ts";
import { addressScopes } from "./address-scopes.ts";
import { agentRoutes } from "./agents.ts";
import { autoAllocationRoutes } from "./auto-allocation.ts";
import { extensionRoutes } from "./extensions.ts";
import { floatingIpPoolRoutes } from "./floatingip-pools.ts";
import { floatingIps } from "./floatingips.ts";
import { forwardingRoutes } from "./forwarding-routes.ts";
import { ipAvailabilityRoutes } from "./ip-availability.ts";
import { networks } from "./networks.ts";
import { ports } from "./ports.ts";
import { quotaRoutes } from "./quota-routes.ts";
import { rbacPolicies } from "./rbac-policies.ts";
import type { NetworkRecord } from "./records.ts";
import { type NetworkResource, ownRecord, pluralOf } from "./resource.ts";
import { addRouterInterface, removeRouterInterface } from "./router-interfaces.ts";
import { addRoutes, removeRoutes } from "./router-routes.ts";
import { routers } from "./routers.ts";
import { type NetworkContext, resourceRoutes, tagRoutes } from "./routes.ts";
import { securityGroupRules } from "./security-group-rules.ts";
import { securityGroups } from "./security-groups.ts";
import { serviceProviderRoutes } from "./service-providers.ts";
import { addPrefixes, removePrefixes, subnetPools } from "./subnet-pools.ts";
import { subnets } from "./subnets.ts";
import { addSubPorts, removeSubPorts, trunks } from "./trunks.ts";
import { neutronWords } from "./words.ts";
import { zoneRoutes } from "./zones.ts";

export interface NetworkOptions extends NetworkContext {
  tokens: Tokens;
  log: (line: string) => void;
}

const incorrectRequest =
  "The server could not comply with the request since it is either malformed or otherwise incorrect.";

/** Neutron v2.0 below `/network`. */
export async function networkService(app: FastifyInstance, options: NetworkOptions): Promise<void> {
  const write = (reply: FastifyReply, error: ApiError) => {
    const fault = { type: error.type || "HTTPError", message: error.message, detail: "" };
    return reply.code(error.status).send(error.status === 401 ? keystoneBody(error) : { NeutronError: fault });
  };
  answerFaults(app, write, options.log, {
    malformed: "Body contains invalid data",
    invalid: neutronWords,
    unexpected: "Request Failed: internal server error while processing your request.",
    wrongMethod: (reply) => write(reply, new ApiError(405, incorrectRequest, "HTTPMethodNotAllowed")),
    bodyLimit: null,
  });
  readJson(app, ["application/json", "*"]);
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
  const kinds = [
    ...[networks, subnets, subnetPools, ports, routers, floatingIps, rbacPolicies, securityGroups, securityGroupRules],
    ...[trunks, addressScopes, addressGroups],
  ] as NetworkResource<NetworkRecord>[];
  app.get("/", () => ({
    resources: [networks, subnets, subnetPools, ports].map((kind) => ({
      name: kind.singular,
      collection: pluralOf(kind),
      links: [{ rel: "self", href: `${options.base()}/network/v2.0/${kind.path}` }],
    })),
  }));
  for (const kind of kinds) {
    resourceRoutes(app, options, kind);
    if (!kind.untagged) tagRoutes(app, options, kind);
  }
  routerInterfaceRoutes(app, options);
  extraRouteRoutes(app, options);
  forwardingRoutes(app, options);
  subPortRoutes(app, options);
  prefixRoutes(app, options);
  addressRoutes(app, options);

  extensionRoutes(app);
  zoneRoutes(app);
  agentRoutes(app, options);
  serviceProviderRoutes(app);
  ipAvailabilityRoutes(app, options.tables);
  floatingIpPoolRoutes(app, options.tables);
  autoAllocationRoutes(app, options);
  quotaRoutes(app, options, kinds);
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

/** `extraroute-atomic`: routes that come and go one by one. */
function extraRouteRoutes(app: FastifyInstance, { store, tables, reconcile }: NetworkOptions): void {
  const actions = { add_extraroutes: addRoutes, remove_extraroutes: removeRoutes };
  for (const [name, act] of Object.entries(actions)) {
    app.put<{ Params: { id: string } }>(`/routers/:id/${name}`, async ({ scope, params, body }) => {
      const changed = store.transaction(() =>
        tables.routers.put(act(tables, ownRecord(routers, tables, scope, params.id, name), body)),
      );
      await reconcile();
      return { router: routers.view(tables, changed) };
    });
  }
}

/** `subnetpool-prefix-ops` */
function prefixRoutes(app: FastifyInstance, { store, tables }: NetworkOptions): void {
  for (const [name, act] of Object.entries({ add_prefixes: addPrefixes, remove_prefixes: removePrefixes })) {
    app.put<{ Params: { id: string } }>(`/subnetpools/:id/${name}`, ({ scope, params, body }) => {
      const changed = store.transaction(() =>
        tables.subnetPools.put(act(tables, scope, ownRecord(subnetPools, tables, scope, params.id, name), body)),
      );
      return { prefixes: changed.prefixes };
    });
  }
}

/** Addresses of groups, which rules that name them follow. */
function addressRoutes(app: FastifyInstance, { store, tables, reconcile }: NetworkOptions): void {
  for (const [name, act] of Object.entries({ add_addresses: addAddresses, remove_addresses: removeAddresses })) {
    app.put<{ Params: { id: string } }>(`/address-groups/:id/${name}`, async ({ scope, params, body }) => {
      const changed = store.transaction(() =>
        tables.addressGroups.put(act(ownRecord(addressGroups, tables, scope, params.id, name), body)),
      );
      await reconcile();
      return { address_group: addressesView(tables, changed) };
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
