import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { type Accounts, newId, type Project } from "./accounts.ts";
import { demandMutable, domainOf, found, type IdentityContext, merged, ownDomainId, selfOf } from "./context.ts";
import { below, deleteGrants } from "./grants.ts";
import { collectionBody, filtered, isSet, type Query } from "./listing.ts";
import { parsePart } from "./malformed.ts";
import { demandAdmin, demandReader, visibleIn } from "./policy.ts";
import type { Scope } from "./scope.ts";
import type { Tokens } from "./tokens.ts";
import { projectView } from "./views.ts";

export const placeName = z.string().min(1).max(64).regex(/\S/);
export const identifier = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[a-zA-Z0-9-]+$/);
export const tag = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^,/]*$/);
export const tagList = z
  .array(tag)
  .max(80, "is too long")
  .refine((tags) => new Set(tags).size === tags.length, "has non-unique elements");
export const freeOptions = z.record(z.string(), z.unknown());

const fields = {
  name: placeName.optional(),
  description: z.string().nullish(),
  enabled: z.boolean().optional(),
  domain_id: identifier.nullish(),
  parent_id: identifier.nullish(),
  is_domain: z.boolean().optional(),
  tags: tagList.optional(),
  options: freeOptions.optional(),
};
const createSchema = z.looseObject({ ...fields, name: placeName });
const updateSchema = z.looseObject(fields);

const filters = ["domain_id", "enabled", "name", "parent_id", "is_domain"];

/** Domains are one level of the tree, and projects five. */
const deepestLevel = 5;

interface One {
  Params: { id: string };
  Querystring: Query;
}

/** `/v3/projects`; behind `requireToken`. */
export function projectRoutes(app: FastifyInstance, context: IdentityContext): void {
  const { store, accounts, tokens, url } = context;
  const { projects } = accounts;
  const one = (id: string) => found(projects.get(id), "project", id);

  app.get<{ Querystring: Query }>("/v3/projects", (request) => {
    const { scope, query } = request;
    demandReader(scope, "list_projects", scope.domain?.id);
    const views = visibleIn(scope, projects.list())
      .map((project) => projectView(project, url()))
      .filter((view) => hasTags(view.tags, query));
    const items = filtered(views, { is_domain: "false", ...query }, filters);
    return collectionBody("projects", items, selfOf(context, request));
  });
  app.post("/v3/projects", ({ scope, body }, reply) => {
    demandAdmin(scope, "create_project");
    const asked = parsePart(createSchema, body, "project");
    const made = store.transaction(() => projects.put(newProject(accounts, scope, asked)));
    return reply.code(201).send({ project: projectView(made, url()) });
  });
  app.get<One>("/v3/projects/:id", ({ scope, params, query }) => {
    const project = projects.get(params.id);
    if (scope.project?.id !== params.id) demandReader(scope, "get_project", project?.domainId);
    return { project: { ...projectView(one(params.id), url()), ...family(accounts, one(params.id), query, url()) } };
  });
  app.patch<One>("/v3/projects/:id", ({ scope, params, body }) => {
    demandAdmin(scope, "update_project");
    const asked = parsePart(updateSchema, body, "project");
    const changed = store.transaction(() => projects.put(changedProject(accounts, one(params.id), asked)));
    if (asked.enabled === false) tokens.revokePlace(changed.id);
    // Keystone answers a change with what is no column of its own a second time
    return { project: { ...projectView(changed, url()), extra: changed.extra ?? {} } };
  });
  app.delete<One>("/v3/projects/:id", ({ scope, params }, reply) => {
    demandAdmin(scope, "delete_project");
    store.transaction(() => {
      const project = one(params.id);
      demandMutable(project, "project");
      if (projects.find(({ parentId }) => parentId === project.id) !== undefined) {
        throw new ApiError(
          403,
          `Cannot delete the project ${project.id} since it is not a leaf in the hierarchy. Use the cascade option if you want to delete a whole subtree.`,
        );
      }
      deleteProject(accounts, tokens, project.id);
    });
    return reply.code(204).send();
  });
}

/** Removes a project or a domain with all that hangs on it in Keystone; what it has in other services stays, as it does there. */
export function deleteProject(accounts: Accounts, tokens: Tokens, id: string): void {
  accounts.projects.delete(id);
  deleteGrants(accounts, ({ target, targetId }) => target !== "system" && targetId === id);
  const { applicationCredentials, credentials, limits } = accounts;
  for (const one of applicationCredentials.list(({ projectId }) => projectId === id)) {
    applicationCredentials.delete(one.id);
  }
  for (const one of credentials.list(({ project_id }) => project_id === id)) credentials.delete(one.id);
  for (const one of limits.list((limit) => limit.project_id === id || limit.domain_id === id)) limits.delete(one.id);
  tokens.revokePlace(id);
}

/** @throws ApiError 400 in Keystone's words */
function newProject(accounts: Accounts, scope: Scope, asked: z.infer<typeof createSchema>): Project {
  const { name: given, description, enabled = true, is_domain: isDomain = false, tags = [], options = {} } = asked;
  const { domain_id, parent_id, name: _name, description: _description, enabled: _enabled, ...rest } = asked;
  const { is_domain: _isDomain, tags: _tags, options: _options, ...extra } = rest;
  const name = given.trim();
  const id = newId();
  const parts = { id, name, description: description ?? "", enabled, tags, options, extra };
  if (isDomain) {
    if (parent_id || domain_id) throw new ApiError(400, "only root projects are allowed to act as domains.");
    demandFreeName(accounts, { id, name, domainId: null });
    return { ...parts, isDomain, domainId: null, parentId: null };
  }
  const domainId = domain_id ?? ownDomainId(accounts, scope);
  const parentId = parent_id ?? domainId;
  const parent = asMistake(() => {
    domainOf(accounts, domainId);
    return found(accounts.projects.get(parentId), "project", parentId);
  });
  demandSameDomain(parent, domainId);
  const line = [parent, ...ancestors(accounts, parent)];
  const disabled = line.find((project) => !project.enabled);
  if (disabled !== undefined) {
    throw new ApiError(400, `cannot create a project in a branch containing a disabled project: ${disabled.id}`);
  }
  if (line.length > deepestLevel) throw new ApiError(403, `Max hierarchy depth reached for ${parentId} branch.`);
  demandFreeName(accounts, { id, name, domainId });
  return { ...parts, isDomain, domainId, parentId };
}

function demandSameDomain(parent: Project, domainId: string): void {
  if (parent.isDomain && parent.id !== domainId) {
    throw new ApiError(
      400,
      `Cannot create project, the parent (${parent.id}) is acting as a domain, but this project's domain id (${domainId}) does not match the parent's id.`,
    );
  }
  if (!parent.isDomain && parent.domainId !== domainId) {
    throw new ApiError(
      400,
      `Cannot create project, since it specifies its domain_id ${domainId}, but specifies a parent in a different domain (${parent.domainId}).`,
    );
  }
}

/** A project or domain after a change. @throws ApiError 400, 403, 409 in Keystone's words */
export function changedProject(accounts: Accounts, project: Project, asked: z.infer<typeof updateSchema>): Project {
  const {
    name: given,
    description,
    enabled,
    domain_id,
    parent_id,
    is_domain,
    tags,
    options,
    id: _id,
    ...extra
  } = asked;
  demandMutable(project, project.isDomain ? "domain" : "project", asked);
  if (domain_id !== undefined && domain_id !== project.domainId) throw new ApiError(400, "Cannot change Domain ID");
  if (parent_id !== undefined && parent_id !== project.parentId) {
    throw new ApiError(403, "Update of `parent_id` is not allowed.");
  }
  if (is_domain !== undefined && is_domain !== project.isDomain) {
    throw new ApiError(400, "Update of `is_domain` is not allowed.");
  }
  if (enabled === true && !project.enabled && ancestors(accounts, project).some((one) => !one.enabled)) {
    throw new ApiError(403, `Cannot enable project ${project.id} since it has disabled parents`);
  }
  const children = () => below(accounts.projects.list(), { targetId: project.id });
  if (enabled === false && project.enabled && !project.isDomain && children().some((child) => child.enabled)) {
    throw new ApiError(403, `Cannot disable project ${project.id} since its subtree contains enabled projects.`);
  }
  const name = given?.trim() ?? project.name;
  if (name !== project.name) demandFreeName(accounts, { ...project, name });
  return {
    ...project,
    name,
    description: description === undefined ? project.description : (description ?? ""),
    enabled: enabled ?? project.enabled,
    tags: tags ?? project.tags,
    options: merged(project.options, options),
    extra: merged(project.extra, extra),
  };
}

/** @throws ApiError 409 */
export function demandFreeName(
  { projects }: Accounts,
  { id, name, domainId }: Pick<Project, "id" | "name" | "domainId">,
): void {
  const namesake = projects.find((one) => one.name === name && one.domainId === domainId && one.id !== id);
  if (namesake === undefined) return;
  const words =
    domainId === null
      ? `it is not permitted to have two projects acting as domains with the same name: ${name}`
      : `it is not permitted to have two projects with either the same name or same id in the same domain: name is ${name}, project id ${id}`;
  throw new ApiError(409, `Conflict occurred attempting to store project - ${words}.`);
}

/** The projects above, the nearest first, and the domain last. */
function ancestors({ projects }: Accounts, { parentId }: Pick<Project, "parentId">): Project[] {
  const line: Project[] = [];
  for (let id = parentId; id !== null; id = line.at(-1)?.parentId ?? null) {
    const parent = projects.get(id);
    if (parent === undefined) break;
    line.push(parent);
  }
  return line;
}

/** What a project's GET tells of those above and below, where it is asked to. */
function family(accounts: Accounts, project: Project, query: Query, url: string): Record<string, unknown> {
  const asks = (key: string) => isSet(query[key]);
  const exclude = (first: string, second: string) => {
    if (!asks(first) || !asks(second)) return;
    throw new ApiError(400, `Cannot use ${first} and ${second} query params at the same time.`);
  };
  exclude("parents_as_list", "parents_as_ids");
  exclude("subtree_as_list", "subtree_as_ids");
  const view = (one: Project) => ({ project: projectView(one, url) });
  const parents = () => ancestors(accounts, project).filter((one) => !one.isDomain);
  const all = () => accounts.projects.list();
  return {
    ...(asks("parents_as_list") ? { parents: parents().map(view) } : {}),
    ...(asks("parents_as_ids") ? { parents: nested(ancestors(accounts, project)) } : {}),
    ...(asks("subtree_as_list") ? { subtree: below(all(), { targetId: project.id }).map(view) } : {}),
    ...(asks("subtree_as_ids") ? { subtree: subtreeIds(all(), project.id) } : {}),
  };
}

function nested([first, ...rest]: Project[]): Record<string, unknown> | null {
  return first === undefined ? null : { [first.id]: nested(rest) };
}

function subtreeIds(projects: readonly Project[], id: string): Record<string, unknown> | null {
  const children = projects.filter(({ parentId }) => parentId === id);
  if (children.length === 0) return null;
  return Object.fromEntries(children.map((child) => [child.id, subtreeIds(projects, child.id)]));
}

function hasTags(tags: readonly string[], query: Query): boolean {
  const asked = (key: string) => {
    const value = query[key];
    return typeof value === "string" ? value.split(",") : undefined;
  };
  const all = asked("tags");
  const any = asked("tags-any");
  const notAll = asked("not-tags");
  const notAny = asked("not-tags-any");
  const has = (one: string) => tags.includes(one);
  return (
    (all === undefined || all.every(has)) &&
    (any === undefined || any.some(has)) &&
    (notAll === undefined || !notAll.every(has)) &&
    (notAny === undefined || !notAny.some(has))
  );
}

/** What a project's creation names and does not exist is a mistake of the request. */
function asMistake<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) throw new ApiError(400, error.message);
    throw error;
  }
}
