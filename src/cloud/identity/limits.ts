import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError, forbidden } from "../http/api-error.ts";
import { type Document, newId } from "./accounts.ts";
import { type IdentityContext, selfOf } from "./context.ts";
import { collectionBody, filtered, type Query } from "./listing.ts";
import { malformed, parsePart } from "./malformed.ts";
import { demandAdmin } from "./policy.ts";
import { identifier } from "./projects.ts";
import { isAdmin, type Scope } from "./scope.ts";

const amount = z.int().min(-1).max(0x7fffffff);
const resourceName = z.string().min(1).max(255);
const registered = {
  service_id: identifier,
  region_id: z.string().nullish(),
  resource_name: resourceName,
  default_limit: amount,
  description: z.string().nullish(),
};
const registeredUpdate = z.strictObject(registered).partial();
const shared = {
  service_id: identifier,
  region_id: z.string().optional(),
  resource_name: resourceName,
  resource_limit: amount,
  description: z.string().nullish(),
};
const limit = z.union([
  z.strictObject({ ...shared, project_id: identifier }),
  z.strictObject({ ...shared, domain_id: identifier }),
]);
const limitUpdate = z.strictObject({ resource_limit: amount.optional(), description: z.string().nullish() });

interface One {
  Params: { id: string };
}

/** What a limit is about. */
type Subject = Record<string, unknown>;

/** `/v3/registered_limits` and `/v3/limits`, kept for services that ask Keystone what a project may have; behind `requireToken`. */
export function limitRoutes(app: FastifyInstance, context: IdentityContext): void {
  registeredLimitRoutes(app, context);
  const { store, accounts, url } = context;
  const { limits, registeredLimits } = accounts;
  const view = (one: Document) => ({ ...one, links: { self: `${url()}/limits/${one.id}` } });
  const one = (id: string) => foundFor(limits.get(id), "limit", id);

  app.get("/v3/limits/model", () => ({
    model: {
      name: "flat",
      description: "Limit enforcement and validation does not take project hierarchy into consideration.",
    },
  }));
  app.get<{ Querystring: Query }>("/v3/limits", (request) => {
    const { scope, query } = request;
    const fields = ["service_id", "region_id", "resource_name", "project_id", "domain_id"];
    const items = filtered(limits.list((item) => isListed(context, scope, item)).map(view), query, fields);
    return collectionBody("limits", items, selfOf(context, request));
  });
  app.post("/v3/limits", ({ scope, body }, reply) => {
    demandAdmin(scope, "create_limits");
    const asked = parsePart(z.array(limit).min(1), body, "limits");
    const made = store.transaction(() =>
      asked.map((item) => {
        demandExisting(context, item, "limit");
        const { region_id = null, description = null, ...rest } = item;
        const document = { id: newId(), project_id: null, domain_id: null, ...rest, region_id, description };
        if (registeredLimits.find((other) => isAbout(other, document)) === undefined) {
          throw new ApiError(403, "Unable to create a limit that has no corresponding registered limit.");
        }
        const { project_id, domain_id } = document;
        demandNone(
          limits.find((o) => isAbout(o, document) && o.project_id === project_id && o.domain_id === domain_id),
          "limit",
        );
        return limits.put(document);
      }),
    );
    return reply.code(201).send({ limits: made.map(view) });
  });
  app.get<One>("/v3/limits/:id", ({ scope, params }) => {
    const item = limits.get(params.id);
    const own = item?.project_id === scope.project?.id && item !== undefined;
    if (!isAdmin(scope) && !own && !(item !== undefined && isListed(context, scope, item))) {
      throw forbidden("identity:get_limit");
    }
    return { limit: view(one(params.id)) };
  });
  app.patch<One>("/v3/limits/:id", ({ scope, params, body }) => {
    demandAdmin(scope, "update_limit");
    const asked = parsePart(limitUpdate, body, "limit");
    return { limit: view(store.transaction(() => limits.put({ ...one(params.id), ...asked }))) };
  });
  app.delete<One>("/v3/limits/:id", ({ scope, params }, reply) => {
    demandAdmin(scope, "delete_limit");
    limits.delete(one(params.id).id);
    return reply.code(204).send();
  });
}

function registeredLimitRoutes(app: FastifyInstance, context: IdentityContext): void {
  const { store, accounts, url } = context;
  const { limits, registeredLimits } = accounts;
  const path = "/v3/registered_limits";
  const view = (one: Document) => ({ ...one, links: { self: `${url()}/registered_limits/${one.id}` } });
  const one = (id: string) => foundFor(registeredLimits.get(id), "registered limit", id);
  const demandUnused = (item: Document) => {
    if (limits.find((other) => isAbout(other, item)) === undefined) return;
    throw new ApiError(
      403,
      `Unable to update or delete registered limit ${item.id} because there are project limits associated with it.`,
    );
  };

  app.get<{ Querystring: Query }>(path, (request) => {
    const items = filtered(registeredLimits.list().map(view), request.query, [
      "service_id",
      "region_id",
      "resource_name",
    ]);
    return collectionBody("registered_limits", items, selfOf(context, request));
  });
  app.post(path, ({ scope, body }, reply) => {
    demandAdmin(scope, "create_registered_limits");
    const asked = parsePart(z.array(z.strictObject(registered)).min(1), body, "registered_limits");
    const made = store.transaction(() =>
      asked.map((item) => {
        demandExisting(context, item, "registered_limit");
        const { region_id = null, description = null, ...rest } = item;
        const document = { id: newId(), ...rest, region_id, description };
        demandNone(
          registeredLimits.find((other) => isAbout(other, document)),
          "registered_limit",
        );
        return registeredLimits.put(document);
      }),
    );
    return reply.code(201).send({ registered_limits: made.map(view) });
  });
  app.get<One>(`${path}/:id`, ({ params }) => ({ registered_limit: view(one(params.id)) }));
  app.patch<One>(`${path}/:id`, ({ scope, params, body }) => {
    demandAdmin(scope, "update_registered_limit");
    const asked = parsePart(registeredUpdate, body, "registered_limit");
    const changed = store.transaction(() => {
      const before = one(params.id);
      demandUnused(before);
      demandExisting(context, asked, "registered_limit");
      return registeredLimits.put({ ...before, ...asked });
    });
    return { registered_limit: view(changed) };
  });
  app.delete<One>(`${path}/:id`, ({ scope, params }, reply) => {
    demandAdmin(scope, "delete_registered_limit");
    store.transaction(() => {
      demandUnused(one(params.id));
      registeredLimits.delete(params.id);
    });
    return reply.code(204).send();
  });
}

/** The lists show a project its own, a domain those of its projects, and the system all. */
function isListed({ accounts }: IdentityContext, scope: Scope, item: Document): boolean {
  if (scope.system) return true;
  if (scope.project !== undefined) return item.project_id === scope.project.id;
  if (scope.domain === undefined) return false;
  const project = accounts.projects.get(String(item.project_id));
  return item.domain_id === scope.domain.id || project?.domainId === scope.domain.id;
}

function isAbout(one: Subject, other: Subject): boolean {
  return (
    one.service_id === other.service_id &&
    one.resource_name === other.resource_name &&
    (one.region_id ?? null) === (other.region_id ?? null)
  );
}

function foundFor(item: Document | undefined, kind: string, id: string): Document {
  if (item === undefined) throw new ApiError(404, `Could not find ${kind} for ${id}.`);
  return item;
}

function demandNone(item: Document | undefined, kind: string): void {
  if (item !== undefined) throw new ApiError(409, `Conflict occurred attempting to store ${kind} - Duplicate entry.`);
}

/** @throws ApiError 400 for a service, region, project or domain that does not exist */
function demandExisting({ accounts }: IdentityContext, asked: Record<string, unknown>, target: string): void {
  const tables = {
    service_id: accounts.services,
    region_id: accounts.regions,
    project_id: accounts.projects,
    domain_id: accounts.projects,
  };
  for (const [field, table] of Object.entries(tables)) {
    const id = asked[field];
    if (typeof id === "string" && table.get(id) === undefined)
      throw malformed(`Expecting to find ${field} in ${target}.`);
  }
}
