import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { type Accounts, type Group, newId } from "./accounts.ts";
import { demandFree, domainOf, found, type IdentityContext, merged, ownDomainId, selfOf } from "./context.ts";
import { deleteGrants } from "./grants.ts";
import { collectionBody, filtered, type Query } from "./listing.ts";
import { parsePart } from "./malformed.ts";
import { demandAdmin, demandReader, visibleIn } from "./policy.ts";
import { identifier } from "./projects.ts";
import { accountName, userFilters } from "./users.ts";
import { groupView, userView } from "./views.ts";

const fields = {
  name: accountName.optional(),
  description: z.string().nullish(),
  domain_id: identifier.optional(),
};
const createSchema = z.looseObject({ ...fields, name: accountName });
const updateSchema = z.looseObject(fields);

interface One {
  Params: { id: string };
  Querystring: Query;
}
interface Member {
  Params: { id: string; user: string };
}

/** `/v3/groups` and their members; behind `requireToken`. */
export function groupRoutes(app: FastifyInstance, context: IdentityContext): void {
  const { store, accounts, url } = context;
  const { groups, users } = accounts;
  const one = (id: string) => found(groups.get(id), "group", id);

  app.get<{ Querystring: Query }>("/v3/groups", (request) => {
    const { scope, query } = request;
    demandReader(scope, "list_groups", scope.domain?.id);
    const views = visibleIn(scope, groups.list()).map((group) => groupView(group, url()));
    return collectionBody("groups", filtered(views, query, ["domain_id", "name"]), selfOf(context, request));
  });
  app.post("/v3/groups", ({ scope, body }, reply) => {
    demandAdmin(scope, "create_group");
    const asked = parsePart(createSchema, body, "group");
    const made = store.transaction(() => {
      const domainId = domainOf(accounts, asked.domain_id ?? ownDomainId(accounts, scope)).id;
      const group = { id: newId(), name: "", domainId, description: "", userIds: [], extra: {} };
      return groups.put(changedGroup(accounts, group, asked));
    });
    return reply.code(201).send({ group: groupView(made, url()) });
  });
  app.get<One>("/v3/groups/:id", ({ scope, params }) => {
    demandReader(scope, "get_group", groups.get(params.id)?.domainId);
    return { group: groupView(one(params.id), url()) };
  });
  app.patch<One>("/v3/groups/:id", ({ scope, params, body }) => {
    demandAdmin(scope, "update_group");
    const asked = parsePart(updateSchema, body, "group");
    const changed = store.transaction(() => groups.put(changedGroup(accounts, one(params.id), asked)));
    return { group: groupView(changed, url()) };
  });
  app.delete<One>("/v3/groups/:id", ({ scope, params }, reply) => {
    demandAdmin(scope, "delete_group");
    store.transaction(() => {
      deleteGroup(accounts, one(params.id).id);
    });
    return reply.code(204).send();
  });

  const members = "/v3/groups/:id/users";
  const demandMember = ({ id, user }: Member["Params"]) => {
    found(users.get(user), "user", user);
    if (!one(id).userIds.includes(user)) {
      throw new ApiError(404, `User '${user}' not found in group '${id}'`);
    }
  };
  app.get<One>(members, (request) => {
    const { scope, params, query } = request;
    demandReader(scope, "list_users_in_group", groups.get(params.id)?.domainId);
    const { userIds } = one(params.id);
    const views = users.list(({ id }) => userIds.includes(id)).map((user) => userView(user, url()));
    return collectionBody("users", filtered(views, query, userFilters), selfOf(context, request));
  });
  app.put<Member>(`${members}/:user`, ({ scope, params: { id, user } }, reply) => {
    demandAdmin(scope, "add_user_to_group");
    store.transaction(() => {
      const group = one(id);
      found(users.get(user), "user", user);
      groups.put({ ...group, userIds: [...new Set([...group.userIds, user])] });
    });
    return reply.code(204).send();
  });
  for (const method of ["GET", "HEAD"] as const) {
    app.route<Member>({
      method,
      url: `${members}/:user`,
      handler({ scope, params }, reply) {
        demandReader(scope, "check_user_in_group", groups.get(params.id)?.domainId);
        demandMember(params);
        return reply.code(204).send();
      },
    });
  }
  app.delete<Member>(`${members}/:user`, ({ scope, params }, reply) => {
    demandAdmin(scope, "remove_user_from_group");
    store.transaction(() => {
      demandMember(params);
      const group = one(params.id);
      groups.put({ ...group, userIds: group.userIds.filter((member) => member !== params.user) });
    });
    return reply.code(204).send();
  });
}

/** @throws ApiError 400, 409 in Keystone's words */
function changedGroup({ groups }: Accounts, group: Group, asked: z.infer<typeof updateSchema>): Group {
  const { name: given, description, domain_id, id: _id, ...extra } = asked;
  if (domain_id !== undefined && domain_id !== group.domainId) throw new ApiError(400, "Cannot change Domain ID");
  const name = given?.trim() ?? group.name;
  const namesake = groups.find((one) => one.name === name && one.domainId === group.domainId && one.id !== group.id);
  demandFree(namesake !== undefined, "group", name, group.domainId);
  return {
    ...group,
    name,
    description: description === undefined ? group.description : (description ?? ""),
    extra: merged(group.extra, extra),
  };
}

/** With all that was granted to it. Inside a transaction. */
export function deleteGroup(accounts: Accounts, id: string): void {
  accounts.groups.delete(id);
  deleteGrants(accounts, ({ actor, actorId }) => actor === "group" && actorId === id);
}
