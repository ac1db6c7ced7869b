import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError, unauthorized } from "../http/api-error.ts";
import { type Accounts, newId, type User } from "./accounts.ts";
import { demandFree, domainOf, found, type IdentityContext, merged, ownDomainId, selfOf } from "./context.ts";
import { deleteGrants, placesOf } from "./grants.ts";
import { collectionBody, filtered, type Query } from "./listing.ts";
import { parsePart } from "./malformed.ts";
import { newPassword, passwordFields, passwordMatches } from "./passwords.ts";
import { demandAdmin, demandReader, visibleIn } from "./policy.ts";
import { freeOptions, identifier } from "./projects.ts";
import type { Tokens } from "./tokens.ts";
import { groupView, projectView, userView } from "./views.ts";

export const accountName = z.string().min(1).max(255).regex(/\S/);

const fields = {
  name: accountName.optional(),
  description: z.string().nullish(),
  enabled: z.boolean().optional(),
  password: z.string().nullish(),
  default_project_id: identifier.nullish(),
  domain_id: identifier.optional(),
  options: freeOptions.optional(),
};
// whatever else a user is given is kept and shown, as Keystone does it
const createSchema = z.looseObject({ ...fields, name: accountName });
const updateSchema = z.looseObject(fields);
const passwordChange = z.strictObject({ original_password: z.string(), password: z.string() });

interface One {
  Params: { id: string };
  Querystring: Query;
}

/** `/v3/users`; behind `requireToken`. */
export function userRoutes(app: FastifyInstance, context: IdentityContext): void {
  const { store, accounts, tokens, url } = context;
  const { users } = accounts;
  const one = (id: string) => found(users.get(id), "user", id);

  app.get<{ Querystring: Query }>("/v3/users", (request) => {
    const { scope, query } = request;
    demandReader(scope, "list_users", scope.domain?.id);
    const views = visibleIn(scope, users.list()).map((user) => userView(user, url()));
    return collectionBody("users", filtered(views, query, userFilters), selfOf(context, request));
  });
  app.post("/v3/users", ({ scope, body }, reply) => {
    demandAdmin(scope, "create_user");
    const asked = parsePart(createSchema, body, "user");
    const made = store.transaction(() => {
      const domainId = domainOf(accounts, asked.domain_id ?? ownDomainId(accounts, scope)).id;
      // without a password nobody can log in: as good as one that nobody knows
      const user = { id: newId(), name: "", domainId, defaultProjectId: "", ...passwordFields(newPassword()) };
      return users.put(changedUser(accounts, user, asked));
    });
    return reply.code(201).send({ user: userView(made, url()) });
  });
  app.get<One>("/v3/users/:id", ({ scope, params }) => {
    if (scope.userId !== params.id) demandReader(scope, "get_user", users.get(params.id)?.domainId);
    return { user: userView(one(params.id), url()) };
  });
  app.patch<One>("/v3/users/:id", ({ scope, params, body }) => {
    demandAdmin(scope, "update_user");
    const asked = parsePart(updateSchema, body, "user");
    const changed = store.transaction(() => users.put(changedUser(accounts, one(params.id), asked)));
    if (asked.enabled === false || asked.password) tokens.revokeUser(changed.id);
    return { user: { ...userView(changed, url()), extra: extraOf(changed) } };
  });
  app.delete<One>("/v3/users/:id", ({ scope, params }, reply) => {
    demandAdmin(scope, "delete_user");
    store.transaction(() => deleteUser(accounts, tokens, one(params.id).id));
    return reply.code(204).send();
  });

  app.get<One>("/v3/users/:id/projects", (request) => {
    const { scope, params, query } = request;
    if (scope.userId !== params.id) demandReader(scope, "list_user_projects", users.get(params.id)?.domainId);
    const views = placesOf(accounts, one(params.id).id, "project").map((project) => projectView(project, url()));
    const items = filtered(views, query, ["domain_id", "enabled", "name"]);
    return collectionBody("projects", items, selfOf(context, request));
  });
  app.get<One>("/v3/users/:id/groups", (request) => {
    const { scope, params, query } = request;
    if (scope.userId !== params.id) demandReader(scope, "list_groups_for_user", users.get(params.id)?.domainId);
    const user = one(params.id);
    const views = visibleIn(
      scope,
      accounts.groups.list(({ userIds }) => userIds.includes(user.id)),
    ).map((group) => groupView(group, url()));
    return collectionBody("groups", filtered(views, query, ["name"]), selfOf(context, request));
  });
}

export const userFilters = ["domain_id", "enabled", "name"];

/** `POST /v3/users/{id}/password`: the old password is who asks, and no token. */
export function passwordRoute(app: FastifyInstance, { store, accounts, tokens }: IdentityContext): void {
  app.post<One>("/v3/users/:id/password", ({ params, body }, reply) => {
    const asked = parsePart(passwordChange, body, "user");
    store.transaction(() => {
      const user = accounts.users.get(params.id);
      if (user === undefined || user.enabled === false) throw unauthorized();
      if (!passwordMatches(user, asked.original_password)) throw unauthorized();
      const { options = {} } = user;
      if (options.lock_password === true) throw unauthorized();
      accounts.users.put({ ...user, ...passwordFields(asked.password) });
      tokens.revokeUser(user.id);
    });
    return reply.code(204).send();
  });
}

/** Removes a user with all that is the user's in Keystone. */
export function deleteUser(accounts: Accounts, tokens: Tokens, id: string): void {
  const { users, groups, applicationCredentials, accessRules, credentials } = accounts;
  users.delete(id);
  deleteGrants(accounts, ({ actor, actorId }) => actor === "user" && actorId === id);
  for (const group of groups.list(({ userIds }) => userIds.includes(id))) {
    groups.put({ ...group, userIds: group.userIds.filter((member) => member !== id) });
  }
  for (const one of applicationCredentials.list(({ userId }) => userId === id)) applicationCredentials.delete(one.id);
  for (const one of accessRules.list(({ userId }) => userId === id)) accessRules.delete(one.id);
  for (const one of credentials.list(({ user_id }) => user_id === id)) credentials.delete(one.id);
  tokens.revokeUser(id);
}

/** What is no column of Keystone's users: a change is answered with it a second time. */
function extraOf({ extra, description }: User): Record<string, unknown> {
  return { ...extra, ...(description === undefined ? {} : { description }) };
}

/** @throws ApiError 400, 409 in Keystone's words */
function changedUser(accounts: Accounts, user: User, asked: z.infer<typeof updateSchema>): User {
  const {
    name: given,
    description,
    enabled,
    password,
    default_project_id,
    domain_id,
    options,
    id: _id,
    ...extra
  } = asked;
  if (domain_id !== undefined && domain_id !== user.domainId) throw new ApiError(400, "Cannot change Domain ID");
  if (default_project_id && accounts.projects.get(default_project_id)?.isDomain) {
    throw new ApiError(400, `User's default project ID cannot be a domain ID: ${default_project_id}`);
  }
  const name = given?.trim() ?? user.name;
  const namesake = accounts.users.find(
    (one) => one.name === name && one.domainId === user.domainId && one.id !== user.id,
  );
  demandFree(namesake !== undefined, "user", name, user.domainId);
  return {
    ...user,
    name,
    ...(description === undefined ? {} : { description: description ?? "" }),
    enabled: enabled ?? user.enabled ?? true,
    ...(password ? passwordFields(password) : {}),
    defaultProjectId: default_project_id === undefined ? user.defaultProjectId : (default_project_id ?? ""),
    options: merged(user.options ?? {}, options),
    extra: merged(user.extra ?? {}, extra),
  };
}
