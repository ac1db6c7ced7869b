import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError, forbidden } from "../http/api-error.ts";
import { parseBody } from "../http/body.ts";
import type { Store } from "../store/store.ts";
import {
  type Accounts,
  defaultDomain,
  newId,
  newPassword,
  type Project,
  passwordFields,
  type User,
} from "./accounts.ts";
import { isAdmin, type Scope } from "./scope.ts";
import type { Tokens } from "./tokens.ts";
import { projectView, roles, userView } from "./views.ts";

export interface AdminContext {
  store: Store;
  accounts: Accounts;
  tokens: Tokens;
  base: () => string;
}

const name = z.string().trim().min(1).max(255);
const projectFields = {
  name: name.optional(),
  description: z.string().nullable().optional(),
  enabled: z.boolean().optional(),
  tags: z.array(z.string().min(1).max(255)).max(80).optional(),
};
const projectCreate = z.object({
  project: z.object({
    ...projectFields,
    name,
    domain_id: z.string().optional(),
    parent_id: z.string().nullable().optional(),
    is_domain: z.boolean().optional(),
  }),
});
const projectUpdate = z.object({ project: z.object(projectFields) });

const userFields = {
  name: name.optional(),
  description: z.string().nullable().optional(),
  enabled: z.boolean().optional(),
  password: z.string().nullable().optional(),
  default_project_id: z.string().nullable().optional(),
  domain_id: z.string().optional(),
  options: z.record(z.string(), z.unknown()).optional(),
};
// whatever else a user is given is kept and shown, as Keystone does it
const userCreate = z.object({ user: z.object({ ...userFields, name }).catchall(z.unknown()) });
const userUpdate = z.object({ user: z.object(userFields).catchall(z.unknown()) });

interface One {
  Params: { id: string };
}
interface Assigned {
  Params: { project: string; user: string; role: string };
}

/** What administrators change of projects, users and their roles; behind `requireToken`. */
export function adminRoutes(app: FastifyInstance, context: AdminContext): void {
  const { store, accounts, tokens, base } = context;
  const { projects, users } = accounts;

  app.post("/v3/projects", ({ scope, body }, reply) => {
    demandAdmin(scope, "create_project");
    const { project: asked } = parseBody(projectCreate, body);
    if (asked.is_domain) throw new ApiError(501, "This cloud has one domain.");
    if ((asked.parent_id ?? defaultDomain.id) !== defaultDomain.id) {
      throw new ApiError(501, "This cloud's projects have no others below them.");
    }
    demandDomain(asked.domain_id);
    const made = store.transaction(() => {
      demandFree(projects.find((one) => one.name === asked.name) !== undefined, "project", asked.name);
      const { description, enabled = true, tags = [] } = asked;
      return projects.put({ id: newId(), name: asked.name, description: description ?? "", enabled, tags });
    });
    return reply.code(201).send({ project: projectView(made, base()) });
  });
  app.patch<One>("/v3/projects/:id", ({ scope, params, body }) => {
    demandAdmin(scope, "update_project");
    const { project: asked } = parseBody(projectUpdate, body);
    const changed = store.transaction(() => {
      const project = found(projects.get(params.id), "project", params.id);
      const namesake = projects.find((one) => one.name === asked.name && one.id !== project.id);
      demandFree(namesake !== undefined, "project", asked.name ?? "");
      const { description, ...rest } = asked;
      return projects.put({
        ...project,
        ...rest,
        ...(description === undefined ? {} : { description: description ?? "" }),
      } as Project);
    });
    if (asked.enabled === false) tokens.revokeProject(changed.id);
    return { project: projectView(changed, base()) };
  });
  app.delete<One>("/v3/projects/:id", ({ scope, params }, reply) => {
    demandAdmin(scope, "delete_project");
    store.transaction(() => {
      projects.delete(found(projects.get(params.id), "project", params.id).id);
      for (const one of accounts.assignments.list((a) => a.projectId === params.id))
        accounts.assignments.delete(one.id);
    });
    tokens.revokeProject(params.id);
    return reply.code(204).send();
  });

  app.post("/v3/users", ({ scope, body }, reply) => {
    demandAdmin(scope, "create_user");
    const { user: asked } = parseBody(userCreate, body);
    demandDomain(asked.domain_id);
    const made = store.transaction(() => {
      demandFree(users.find((one) => one.name === asked.name) !== undefined, "user", asked.name);
      // without a password nobody can log in: as good as one that nobody knows
      const user = { id: newId(), name: asked.name, defaultProjectId: "", ...passwordFields(newPassword()) };
      return users.put(changedUser(user, asked));
    });
    return reply.code(201).send({ user: userView(made, base()) });
  });
  app.patch<One>("/v3/users/:id", ({ scope, params, body }) => {
    demandAdmin(scope, "update_user");
    const { user: asked } = parseBody(userUpdate, body);
    demandDomain(asked.domain_id);
    const changed = store.transaction(() => {
      const user = found(users.get(params.id), "user", params.id);
      const namesake = users.find((one) => one.name === asked.name && one.id !== user.id);
      demandFree(namesake !== undefined, "user", asked.name ?? "");
      return users.put(changedUser(user, asked));
    });
    if (asked.enabled === false || asked.password) tokens.revokeUser(changed.id);
    return { user: userView(changed, base()) };
  });
  app.delete<One>("/v3/users/:id", ({ scope, params }, reply) => {
    demandAdmin(scope, "delete_user");
    store.transaction(() => {
      users.delete(found(users.get(params.id), "user", params.id).id);
      for (const one of accounts.assignments.list((a) => a.userId === params.id)) accounts.assignments.delete(one.id);
    });
    tokens.revokeUser(params.id);
    return reply.code(204).send();
  });

  roleRoutes(app, context);
}

function roleRoutes(app: FastifyInstance, { store, accounts, tokens, base }: AdminContext): void {
  const { assignments } = accounts;
  const path = "/v3/projects/:project/users/:user/roles/:role";
  const place = ({ project, user, role }: Assigned["Params"]) => {
    found(accounts.projects.get(project), "project", project);
    found(accounts.users.get(user), "user", user);
    const { name } = found(
      roles.find((one) => one.id === role),
      "role",
      role,
    );
    return { name, held: assignments.find((one) => one.userId === user && one.projectId === project) };
  };

  app.put<Assigned>(path, ({ scope, params }, reply) => {
    demandAdmin(scope, "create_grant");
    store.transaction(() => {
      const { name, held } = place(params);
      const before = held ?? { id: newId(), userId: params.user, projectId: params.project, roles: [] };
      assignments.put({ ...before, roles: [...new Set([...before.roles, name])] });
    });
    return reply.code(204).send();
  });
  const demandHeld = (params: Assigned["Params"]) => {
    const { name, held } = place(params);
    if (held?.roles.includes(name)) return { name, held };
    throw new ApiError(
      404,
      `Could not find role assignment with role: ${params.role}, user or group: ${params.user}, project, domain, or system: ${params.project}.`,
    );
  };
  app.head<Assigned>(path, ({ scope, params }, reply) => {
    demandAdmin(scope, "check_grant");
    demandHeld(params);
    return reply.code(204).send();
  });
  app.delete<Assigned>(path, ({ scope, params }, reply) => {
    demandAdmin(scope, "revoke_grant");
    store.transaction(() => {
      const { name, held } = demandHeld(params);
      const left = held.roles.filter((role) => role !== name);
      if (left.length === 0) assignments.delete(held.id);
      else assignments.put({ ...held, roles: left });
    });
    tokens.revokeUser(params.user);
    return reply.code(204).send();
  });

  app.get<{ Querystring: Record<string, string | undefined> }>("/v3/role_assignments", ({ scope, query }) => {
    demandAdmin(scope, "list_role_assignments");
    const all = assignments.list().flatMap(({ userId, projectId, roles: names }) =>
      roles
        .filter((role) => names.includes(role.name))
        .map((role) => ({
          role: { id: role.id },
          user: { id: userId },
          scope: { project: { id: projectId } },
          links: { assignment: `${base()}/identity/v3/projects/${projectId}/users/${userId}/roles/${role.id}` },
        })),
    );
    const selected = all
      .filter(({ role }) => query["role.id"] === undefined || role.id === query["role.id"])
      .filter(({ user }) => query["user.id"] === undefined || user.id === query["user.id"])
      .filter((one) => query["scope.project.id"] === undefined || one.scope.project.id === query["scope.project.id"])
      // there are no groups, and no roles in the domain
      .filter(() => query["group.id"] === undefined && query["scope.domain.id"] === undefined);
    const self = `${base()}/identity/v3/role_assignments`;
    return { role_assignments: selected, links: { self, next: null, previous: null } };
  });
}

function changedUser(user: User, asked: z.infer<typeof userUpdate>["user"]): User {
  const {
    name: newName,
    description,
    enabled,
    password,
    default_project_id: project,
    domain_id: _,
    options,
    ...extra
  } = asked;
  const kept = Object.entries({ ...user.extra, ...extra }).filter(([, value]) => value !== null);
  return {
    ...user,
    name: newName ?? user.name,
    ...(description === undefined ? {} : { description: description ?? "" }),
    enabled: enabled ?? user.enabled ?? true,
    ...(password ? passwordFields(password) : {}),
    defaultProjectId: project === undefined ? user.defaultProjectId : (project ?? ""),
    options: { ...user.options, ...options },
    extra: Object.fromEntries(kept),
  };
}

function demandAdmin(scope: Scope, action: string): void {
  if (!isAdmin(scope)) throw forbidden(`identity:${action}`);
}

function demandDomain(id: string | undefined): void {
  if (id !== undefined && id !== defaultDomain.id) throw new ApiError(404, `Could not find domain: ${id}.`);
}

function demandFree(taken: boolean, kind: string, wanted: string): void {
  if (!taken) return;
  throw new ApiError(
    409,
    `Conflict occurred attempting to store ${kind} - Duplicate entry found with name ${wanted} at domain ID ${defaultDomain.id}.`,
  );
}

function found<T>(item: T | undefined, kind: string, id: string): T {
  if (item === undefined) throw new ApiError(404, `Could not find ${kind}: ${id}.`);
  return item;
}
