import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { type Accounts, newId, type Role } from "./accounts.ts";
import { demandFree, demandMutable, found, type IdentityContext, merged, selfOf } from "./context.ts";
import { deleteGrants } from "./grants.ts";
import { collectionBody, filtered, type Query } from "./listing.ts";
import { parsePart } from "./malformed.ts";
import { demandAdmin, demandReader } from "./policy.ts";
import { freeOptions, identifier } from "./projects.ts";
import { accountName } from "./users.ts";
import { roleView } from "./views.ts";

const fields = {
  name: accountName.optional(),
  description: z.string().nullish(),
  domain_id: identifier.nullish(),
  options: freeOptions.optional(),
};
const createSchema = z.looseObject({ ...fields, name: accountName });
const updateSchema = z.looseObject(fields);

/** Who administers the cloud is told explicitly: no other role may have it along. */
const neverImplied = "admin";

interface One {
  Params: { id: string };
}
interface Implication {
  Params: { prior: string; implied: string };
}

/** `/v3/roles`, what they imply, and `/v3/role_inferences`; behind `requireToken`. */
export function roleRoutes(app: FastifyInstance, context: IdentityContext): void {
  const { store, accounts, url } = context;
  const { roles } = accounts;
  const one = (id: string) => found(roles.get(id), "role", id);

  app.get<{ Querystring: Query }>("/v3/roles", (request) => {
    const { scope, query } = request;
    demandReader(scope, query.domain_id ? "list_domain_roles" : "list_roles");
    const views = roles.list().map((role) => roleView(role, url()));
    const items = filtered(views, { domain_id: "", ...query }, ["name", "domain_id"]);
    return collectionBody("roles", items, selfOf(context, request));
  });
  app.post("/v3/roles", ({ scope, body }, reply) => {
    const asked = parsePart(createSchema, body, "role");
    demandAdmin(scope, asked.domain_id ? "create_domain_role" : "create_role");
    const made = store.transaction(() => {
      const domainId = asked.domain_id ?? null;
      const role = { id: newId(), name: "", domainId, description: null, options: {}, extra: {}, implies: [] };
      return roles.put(changedRole(accounts, role, asked));
    });
    return reply.code(201).send({ role: roleView(made, url()) });
  });
  app.get<One>("/v3/roles/:id", ({ scope, params }) => {
    demandReader(scope, "get_role");
    return { role: roleView(one(params.id), url()) };
  });
  app.patch<One>("/v3/roles/:id", ({ scope, params, body }) => {
    demandAdmin(scope, "update_role");
    const asked = parsePart(updateSchema, body, "role");
    const changed = store.transaction(() => {
      demandMutable(one(params.id), "role", asked);
      return roles.put(changedRole(accounts, one(params.id), asked));
    });
    return { role: roleView(changed, url()) };
  });
  app.delete<One>("/v3/roles/:id", ({ scope, params }, reply) => {
    demandAdmin(scope, "delete_role");
    store.transaction(() => {
      const role = one(params.id);
      demandMutable(role, "role");
      deleteRole(accounts, role.id);
    });
    return reply.code(204).send();
  });
  implicationRoutes(app, context);
}

function implicationRoutes(app: FastifyInstance, { store, accounts, url }: IdentityContext): void {
  const { roles } = accounts;
  const one = (id: string) => found(roles.get(id), "role", id);
  const short = ({ id, name }: Role) => ({ id, links: { self: `${url()}/roles/${id}` }, name });
  const inference = (prior: Role) => ({ prior_role: short(prior), implies: prior.implies.map(one).map(short) });

  app.get("/v3/role_inferences", ({ scope }) => {
    demandReader(scope, "list_role_inference_rules");
    return { role_inferences: roles.list(({ implies }) => implies.length > 0).map(inference) };
  });
  app.get<{ Params: { prior: string } }>("/v3/roles/:prior/implies", ({ scope, params: { prior } }) => {
    demandReader(scope, "list_implied_roles");
    return { role_inference: inference(one(prior)), links: { self: `${url()}/roles/${prior}/implies` } };
  });

  const path = "/v3/roles/:prior/implies/:implied";
  const view = ({ prior, implied }: Implication["Params"]) => ({
    role_inference: { prior_role: short(one(prior)), implies: short(one(implied)) },
    links: { self: `${url()}/roles/${prior}/implies/${implied}` },
  });
  const demandImplied = ({ prior, implied }: Implication["Params"]) => {
    one(implied);
    if (!one(prior).implies.includes(implied)) throw new ApiError(404, `${prior} does not imply ${implied}.`);
  };
  app.put<Implication>(path, ({ scope, params }, reply) => {
    demandAdmin(scope, "create_implied_role");
    store.transaction(() => {
      const [prior, implied] = [one(params.prior), one(params.implied)];
      if (implied.name === neverImplied) throw new ApiError(403, `${implied.id} cannot be an implied roles.`);
      if (prior.domainId === null && implied.domainId !== null) {
        throw new ApiError(403, "Global role cannot imply a domain-specific role");
      }
      if (prior.implies.includes(implied.id)) {
        throw new ApiError(409, "Conflict occurred attempting to store implied_role - Duplicate entry.");
      }
      roles.put({ ...prior, implies: [...prior.implies, implied.id] });
    });
    return reply.code(201).send(view(params));
  });
  app.get<Implication>(path, ({ scope, params }) => {
    demandReader(scope, "get_implied_role");
    demandImplied(params);
    return view(params);
  });
  app.head<Implication>(path, ({ scope, params }, reply) => {
    demandReader(scope, "check_implied_role");
    demandImplied(params);
    return reply.code(204).send();
  });
  app.delete<Implication>(path, ({ scope, params }, reply) => {
    demandAdmin(scope, "delete_implied_role");
    store.transaction(() => {
      demandImplied(params);
      const prior = one(params.prior);
      roles.put({ ...prior, implies: prior.implies.filter((id) => id !== params.implied) });
    });
    return reply.code(204).send();
  });
}

/** @throws ApiError 400, 409 in Keystone's words */
function changedRole({ roles }: Accounts, role: Role, asked: z.infer<typeof updateSchema>): Role {
  const { name: given, description, domain_id, options, id: _id, ...extra } = asked;
  if (domain_id !== undefined && domain_id !== role.domainId) {
    throw new ApiError(400, "Update of `domain_id` is not allowed.");
  }
  const name = given ?? role.name;
  const namesake = roles.find((one) => one.name === name && one.domainId === role.domainId && one.id !== role.id);
  demandFree(namesake !== undefined, "role", name, role.domainId ?? undefined);
  return {
    ...role,
    name,
    description: description === undefined ? role.description : description,
    options: merged(role.options, options),
    extra: merged(role.extra, extra),
  };
}

/** With all grants of it; no other role implies it any more. Inside a transaction. */
export function deleteRole(accounts: Accounts, id: string): void {
  accounts.roles.delete(id);
  deleteGrants(accounts, ({ roleId }) => roleId === id);
  for (const prior of accounts.roles.list(({ implies }) => implies.includes(id))) {
    accounts.roles.put({ ...prior, implies: prior.implies.filter((one) => one !== id) });
  }
}
