import type { FastifyInstance } from "fastify";
import { ApiError, forbidden } from "../http/api-error.ts";
import { answerFaults, keystoneBody } from "../http/faults.ts";
import type { Store } from "../store/store.ts";
import { type Accounts, defaultDomain, projectsOf } from "./accounts.ts";
import { adminRoutes } from "./admin-routes.ts";
import { applicationCredentialRoutes } from "./application-credential-routes.ts";
import { authenticate } from "./authenticate.ts";
import { type Addresses, catalogOf, region, serviceList } from "./catalog.ts";
import { isAdmin, type Scope } from "./scope.ts";
import { header, projectOf, requireToken, type Tokens } from "./tokens.ts";
import { projectView, roles, tokenView, userView } from "./views.ts";

export interface IdentityOptions {
  store: Store;
  accounts: Accounts;
  tokens: Tokens;
  addresses: () => Addresses;
  log: (line: string) => void;
}

/** Keystone v3 below `/identity`: login, tokens, catalogue, projects, users and roles. */
export async function identityService(app: FastifyInstance, options: IdentityOptions): Promise<void> {
  const { addresses, log } = options;
  answerFaults(app, (reply, error) => reply.code(error.status).send(keystoneBody(error)), log);
  const version = () => ({
    id: "v3.14",
    status: "stable",
    updated: "2020-04-07T00:00:00Z",
    links: [{ rel: "self", href: `${addresses().base}/identity/v3/` }],
    "media-types": [{ base: "application/json", type: "application/vnd.openstack.identity-v3+json" }],
  });
  app.get("/", (_request, reply) => reply.code(300).send({ versions: { values: [version()] } }));
  app.get("/v3", () => ({ version: version() }));
  tokenRoutes(app, options);
  await app.register(async (inner) => accountRoutes(inner, options));
}

function tokenRoutes(app: FastifyInstance, { accounts, tokens, addresses }: IdentityOptions): void {
  app.post<{ Querystring: { nocatalog?: string } }>("/v3/auth/tokens", (request, reply) => {
    const { token, record } = authenticate(accounts, tokens, request.body);
    reply.code(201).header("x-subject-token", token).header("vary", "X-Auth-Token");
    return reply.send(tokenView(record, addresses(), request.query.nocatalog === undefined));
  });

  const check = requireToken(tokens, "identity");
  app.get<{ Querystring: { nocatalog?: string } }>("/v3/auth/tokens", { onRequest: check }, (request, reply) => {
    const { token, record } = subject(header(request, "x-subject-token"), request.scope);
    reply.header("x-subject-token", token).header("vary", "X-Auth-Token");
    return reply.send(tokenView(record, addresses(), request.query.nocatalog === undefined));
  });
  app.head("/v3/auth/tokens", { onRequest: check }, (request, reply) => {
    subject(header(request, "x-subject-token"), request.scope);
    return reply.code(200).send();
  });
  app.delete("/v3/auth/tokens", { onRequest: check }, (request, reply) => {
    tokens.revoke(subject(header(request, "x-subject-token"), request.scope).token);
    return reply.code(204).send();
  });

  /** The token that the request is about: one's own, or for admins anyone's. */
  function subject(token: string | undefined, scope: Scope) {
    const record = tokens.find(token);
    if (token === undefined || record === undefined) throw new ApiError(404, "Could not find token.");
    if (record.scope.userId !== scope.userId && !isAdmin(scope)) throw forbidden("identity:validate_token");
    return { token, record };
  }
}

function accountRoutes(app: FastifyInstance, { store, accounts, tokens, addresses }: IdentityOptions): void {
  app.addHook("onRequest", requireToken(tokens, "identity"));
  adminRoutes(app, { store, accounts, tokens, base: () => addresses().base });
  applicationCredentialRoutes(app, { store, accounts, tokens, identityUrl: () => `${addresses().base}/identity/v3` });
  const links = (path: string) => ({ self: `${addresses().base}/identity/v3/${path}`, next: null, previous: null });
  const list = (path: string, key: string, items: unknown[]) => ({ [key]: items, links: links(path) });
  const adminOnly = (scope: Scope, action: string) => {
    if (!isAdmin(scope)) throw forbidden(`identity:${action}`);
  };
  const byName = <T extends { name: string }>(items: T[], name: string | undefined) =>
    name === undefined ? items : items.filter((item) => item.name === name);
  const found = <T>(item: T | undefined, kind: string, id: string): T => {
    if (item === undefined) throw new ApiError(404, `Could not find ${kind}: ${id}.`);
    return item;
  };
  const projectViews = (userId: string) => projectsOf(accounts, userId).map((p) => projectView(p, addresses().base));

  app.get("/v3/auth/projects", ({ scope }) => list("auth/projects", "projects", projectViews(scope.userId)));
  app.get("/v3/auth/domains", () => list("auth/domains", "domains", []));
  app.get("/v3/auth/catalog", ({ scope }) => ({
    catalog: catalogOf(addresses(), projectOf(scope).id),
    links: links("auth/catalog"),
  }));

  app.get<{ Querystring: { name?: string } }>("/v3/projects", ({ scope, query }) => {
    adminOnly(scope, "list_projects");
    const items = byName(accounts.projects.list(), query.name);
    return list(
      "projects",
      "projects",
      items.map((project) => projectView(project, addresses().base)),
    );
  });
  app.get<{ Params: { id: string } }>("/v3/projects/:id", ({ scope, params }) => {
    if (scope.project?.id !== params.id) adminOnly(scope, "get_project");
    const project = found(accounts.projects.get(params.id), "project", params.id);
    return { project: projectView(project, addresses().base) };
  });
  app.get<{ Querystring: { name?: string } }>("/v3/users", ({ scope, query }) => {
    adminOnly(scope, "list_users");
    const items = byName(accounts.users.list(), query.name).map((user) => userView(user, addresses().base));
    return list("users", "users", items);
  });
  app.get<{ Params: { id: string } }>("/v3/users/:id", ({ scope, params }) => {
    if (scope.userId !== params.id) adminOnly(scope, "get_user");
    return { user: userView(found(accounts.users.get(params.id), "user", params.id), addresses().base) };
  });
  app.get<{ Params: { id: string } }>("/v3/users/:id/projects", ({ scope, params }) => {
    if (scope.userId !== params.id) adminOnly(scope, "list_user_projects");
    return list(`users/${params.id}/projects`, "projects", projectViews(params.id));
  });

  const domain = {
    ...defaultDomain,
    description: "The default domain",
    enabled: true,
    tags: [],
    options: {},
    links: {},
  };
  app.get("/v3/domains", ({ scope }) => {
    adminOnly(scope, "list_domains");
    return list("domains", "domains", [domain]);
  });
  app.get<{ Params: { id: string } }>("/v3/domains/:id", ({ params }) => ({
    domain: found(params.id === domain.id ? domain : undefined, "domain", params.id),
  }));
  app.get<{ Querystring: { name?: string } }>("/v3/roles", ({ query }) =>
    list("roles", "roles", byName(roles, query.name)),
  );
  app.get("/v3/regions", () =>
    list("regions", "regions", [{ id: region, description: "", parent_region_id: null, links: {} }]),
  );
  for (const kind of ["services", "endpoints"] as const) {
    app.get(`/v3/${kind}`, ({ scope }) => {
      adminOnly(scope, `list_${kind}`);
      return list(kind, kind, serviceList(addresses())[kind]);
    });
  }
}
