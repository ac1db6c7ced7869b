import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { newId, type Project } from "./accounts.ts";
import { demandMutable, domainOf, type IdentityContext, selfOf } from "./context.ts";
import { below } from "./grants.ts";
import { deleteGroup } from "./groups.ts";
import { collectionBody, filtered, type Query } from "./listing.ts";
import { parsePart } from "./malformed.ts";
import { demandAdmin, demandReader } from "./policy.ts";
import { changedProject, deleteProject, demandFreeName, freeOptions, placeName, tagList } from "./projects.ts";
import { deleteRole } from "./roles.ts";
import { deleteUser } from "./users.ts";
import { domainView } from "./views.ts";

const fields = {
  name: placeName.optional(),
  description: z.string().nullish(),
  enabled: z.boolean().optional(),
  tags: tagList.optional(),
  options: freeOptions.optional(),
};
const createSchema = z.looseObject({ ...fields, name: placeName, explicit_domain_id: z.string().optional() });
const updateSchema = z.looseObject(fields);

interface One {
  Params: { id: string };
}

/** `/v3/domains`; behind `requireToken`. */
export function domainRoutes(app: FastifyInstance, context: IdentityContext): void {
  const { store, accounts, tokens, url } = context;
  const { projects } = accounts;

  app.get<{ Querystring: Query }>("/v3/domains", (request) => {
    demandReader(request.scope, "list_domains");
    const views = projects.list(({ isDomain }) => isDomain).map((domain) => domainView(domain, url()));
    const items = filtered(views, request.query, ["name", "enabled"]);
    return collectionBody("domains", items, selfOf(context, request));
  });
  app.post("/v3/domains", ({ scope, body }, reply) => {
    demandAdmin(scope, "create_domain");
    const asked = parsePart(createSchema, body, "domain");
    const made = store.transaction(() => {
      const domain = newDomain(asked);
      demandFreeName(accounts, domain);
      return projects.put(domain);
    });
    return reply.code(201).send({ domain: domainView(made, url()) });
  });
  app.get<One>("/v3/domains/:id", ({ scope, params }) => {
    const ownDomain = scope.domain?.id ?? projects.get(scope.project?.id ?? "")?.domainId;
    if (ownDomain !== params.id) demandReader(scope, "get_domain");
    return { domain: domainView(domainOf(accounts, params.id), url()) };
  });
  app.patch<One>("/v3/domains/:id", ({ scope, params, body }) => {
    demandAdmin(scope, "update_domain");
    const asked = parsePart(updateSchema, body, "domain");
    const changed = store.transaction(() =>
      projects.put(changedProject(accounts, domainOf(accounts, params.id), asked)),
    );
    return { domain: domainView(changed, url()) };
  });
  app.delete<One>("/v3/domains/:id", ({ scope, params }, reply) => {
    demandAdmin(scope, "delete_domain");
    store.transaction(() => {
      const domain = domainOf(accounts, params.id);
      demandMutable(domain, "domain");
      if (domain.enabled) {
        throw new ApiError(403, "Cannot delete a domain that is enabled, please disable it first.");
      }
      for (const group of accounts.groups.list(({ domainId }) => domainId === domain.id)) {
        deleteGroup(accounts, group.id);
      }
      for (const user of accounts.users.list(({ domainId }) => domainId === domain.id)) {
        deleteUser(accounts, tokens, user.id);
      }
      for (const role of accounts.roles.list(({ domainId }) => domainId === domain.id)) {
        deleteRole(accounts, role.id);
      }
      for (const project of below(projects.list(), { targetId: domain.id }))
        deleteProject(accounts, tokens, project.id);
      deleteProject(accounts, tokens, domain.id);
    });
    return reply.code(204).send();
  });
  app.get<One>("/v3/domains/:id/config", ({ scope, params }) => {
    demandReader(scope, "get_domain_config");
    domainOf(accounts, params.id);
    throw new ApiError(404, `Could not find any options in domain configuration for domain ${params.id}.`);
  });
}

function newDomain(asked: z.infer<typeof createSchema>): Project {
  const { name, description, enabled = true, tags = [], options = {}, explicit_domain_id: id, ...extra } = asked;
  if (id !== undefined && !/^[0-9a-f]{32}$/.test(id)) {
    throw new ApiError(400, "Domain ID does not conform to required UUID format.");
  }
  const place = { isDomain: true, domainId: null, parentId: null };
  const words = { name: name.trim(), description: description ?? "" };
  return { id: id ?? newId(), ...words, enabled, tags, options, extra, ...place };
}
