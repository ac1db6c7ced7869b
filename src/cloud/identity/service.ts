import type { FastifyInstance } from "fastify";
import { ApiError, forbidden } from "../http/api-error.ts";
import { answerFaults, keystoneBody } from "../http/faults.ts";
import { readJson } from "../http/json-body.ts";
import { readQueryOnce } from "../http/query.ts";
import type { Store } from "../store/store.ts";
import type { Accounts } from "./accounts.ts";
import { applicationCredentialRoutes } from "./application-credential-routes.ts";
import { authenticate } from "./authenticate.ts";
import { type Addresses, catalogOf } from "./catalog.ts";
import { catalogRoutes } from "./catalog-routes.ts";
import { type IdentityContext, selfOf } from "./context.ts";
import { credentialRoutes } from "./credentials.ts";
import { domainRoutes } from "./domains.ts";
import { placesOf, rolesOf } from "./grants.ts";
import { groupRoutes } from "./groups.ts";
import { limitRoutes } from "./limits.ts";
import { collectionBody } from "./listing.ts";
import { malformed } from "./malformed.ts";
import { policyRoutes } from "./policies.ts";
import { projectTagRoutes } from "./project-tags.ts";
import { projectRoutes } from "./projects.ts";
import { roleAssignmentRoutes } from "./role-assignments.ts";
import { grantRoutes } from "./role-grants.ts";
import { roleRoutes } from "./roles.ts";
import { isAdmin, type Scope } from "./scope.ts";
import { header, requireToken, type Tokens } from "./tokens.ts";
import { passwordRoute, userRoutes } from "./users.ts";
import { domainView, projectView, tokenView } from "./views.ts";

export interface IdentityOptions {
  store: Store;
  accounts: Accounts;
  tokens: Tokens;
  addresses: () => Addresses;
  log: (line: string) => void;
}

/** Flask's page. */
const unknownPage =
  "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.</p>\n";

/** Keystone v3 below `/identity`. */
export async function identityService(app: FastifyInstance, options: IdentityOptions): Promise<void> {
  const { accounts, addresses, log } = options;
  const context: IdentityContext = { ...options, url: () => `${addresses().base}/identity/v3` };
  answerFaults(app, (reply, error) => reply.code(error.status).send(keystoneBody(error)), log, {
    malformed: malformed(notJson).message,
    mediaType: malformed("Expecting to find application/json in Content-Type header."),
    unexpected: "An unexpected error prevented the server from fulfilling your request.",
    notFound: (reply) => reply.code(404).type("text/html; charset=utf-8").send(unknownPage),
    wrongMethod: (reply) => reply.code(405).send({ message: "The method is not allowed for the requested URL." }),
  });
  readJson(app, ["application/json"]);
  readQueryOnce(app);
  app.addHook("onRequest", async (_request, reply) => {
    reply.header("vary", "X-Auth-Token");
  });
  const version = () => ({
    id: "v3.14",
    status: "stable",
    updated: "2020-04-07T00:00:00Z",
    links: [{ rel: "self", href: `${context.url()}/` }],
    "media-types": [{ base: "application/json", type: "application/vnd.openstack.identity-v3+json" }],
  });
  app.get("/", (_request, reply) =>
    reply
      .code(300)
      .header("location", `${context.url()}/`)
      .send({ versions: { values: [version()] } }),
  );
  app.get("/v3", () => ({ version: version() }));
  tokenRoutes(app, context);
  await app.register(async (inner) => {
    // whoever is told of a change finds it in effect
    const noteChange = async () => {
      accounts.changes.count += 1;
    };
    inner.addHook("onSend", async ({ method }) => (method === "GET" || method === "HEAD" ? undefined : noteChange()));
    passwordRoute(inner, context);
    await inner.register(async (protectedRoutes) => accountRoutes(protectedRoutes, context));
  });
}

const notJson = "Expecting to find valid JSON in request body.";

function tokenRoutes(app: FastifyInstance, { accounts, tokens, addresses }: IdentityContext): void {
  app.post<{ Querystring: { nocatalog?: string } }>("/v3/auth/tokens", (request, reply) => {
    const { token, record } = authenticate(accounts, tokens, request.body);
    reply.code(201).header("x-subject-token", token);
    return reply.send(tokenView(accounts, record, addresses(), request.query.nocatalog === undefined));
  });

  const check = requireToken(tokens, "identity");
  app.get<{ Querystring: { nocatalog?: string } }>("/v3/auth/tokens", { onRequest: check }, (request, reply) => {
    const { token, record } = subject(header(request, "x-subject-token"), request.scope, "validate_token");
    reply.header("x-subject-token", token);
    return reply.send(tokenView(accounts, record, addresses(), request.query.nocatalog === undefined));
  });
  app.head("/v3/auth/tokens", { onRequest: check }, (request, reply) => {
    subject(header(request, "x-subject-token"), request.scope, "check_token");
    return reply.code(200).send();
  });
  app.delete("/v3/auth/tokens", { onRequest: check }, (request, reply) => {
    tokens.revoke(subject(header(request, "x-subject-token"), request.scope, "revoke_token").token);
    return reply.code(204).send();
  });

  /** The token that the request is about: one's own, or for admins anyone's. */
  function subject(token: string | undefined, scope: Scope, action: string) {
    if (token === undefined) throw new ApiError(404, "No token in the request");
    const record = tokens.find(token);
    if (record === undefined) {
      const isOne = token.startsWith("gAAAAA");
      throw new ApiError(404, isOne ? "Failed to validate token" : "Could not recognize Fernet token");
    }
    if (record.userId !== scope.userId && !isAdmin(scope)) throw forbidden(`identity:${action}`);
    return { token, record };
  }
}

function accountRoutes(app: FastifyInstance, context: IdentityContext): void {
  const { accounts, tokens, addresses, url } = context;
  app.addHook("onRequest", requireToken(tokens, "identity"));

  app.get("/v3/auth/projects", (request) => {
    const places = placesOf(accounts, request.scope.userId, "project");
    const views = places.map((project) => projectView(project, url()));
    return collectionBody("projects", views, selfOf(context, request));
  });
  app.get("/v3/auth/domains", (request) => {
    const places = placesOf(accounts, request.scope.userId, "domain");
    const views = places.map((domain) => domainView(domain, url()));
    return collectionBody("domains", views, selfOf(context, request));
  });
  app.get("/v3/auth/system", ({ scope }) => {
    const has = rolesOf(accounts, scope.userId, "system", "all").length > 0;
    return { system: has ? [{ all: true }] : [], links: { self: `${url()}/auth/system` } };
  });
  app.get("/v3/auth/catalog", ({ scope }) => {
    if (scope.project === undefined) {
      throw new ApiError(403, "You are not authorized to perform the requested action.");
    }
    return { catalog: catalogOf(accounts, addresses(), scope.project.id), links: { self: `${url()}/auth/catalog` } };
  });

  projectRoutes(app, context);
  projectTagRoutes(app, context);
  domainRoutes(app, context);
  userRoutes(app, context);
  groupRoutes(app, context);
  roleRoutes(app, context);
  grantRoutes(app, context);
  roleAssignmentRoutes(app, context);
  applicationCredentialRoutes(app, context);
  catalogRoutes(app, context);
  credentialRoutes(app, context);
  limitRoutes(app, context);
  policyRoutes(app, context);
}
