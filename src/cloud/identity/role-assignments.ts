import type { FastifyInstance } from "fastify";
import { ApiError } from "../http/api-error.ts";
import type { Accounts, Grant } from "./accounts.ts";
import { type IdentityContext, selfOf } from "./context.ts";
import { below, type EffectiveGrant, effectiveGrants } from "./grants.ts";
import { collectionBody, demandNotBoth, isSet, type Query } from "./listing.ts";
import { demandReader } from "./policy.ts";

/** A line of the list: a grant as it was made, or what one comes to. */
interface Assignment {
  actor: Grant["actor"];
  actorId: string;
  target: Grant["target"];
  targetId: string;
  roleId: string;
  source: Grant;
  priorRoleId?: string;
}

/** `/v3/role_assignments`; behind `requireToken`. */
export function roleAssignmentRoutes(app: FastifyInstance, context: IdentityContext): void {
  const { accounts, url } = context;
  app.get<{ Querystring: Query }>("/v3/role_assignments", (request) => {
    const { scope, query } = request;
    const tree = isSet(query.include_subtree);
    demandReader(scope, tree ? "list_role_assignments_for_tree" : "list_role_assignments", scope.domain?.id);
    if (tree && !query["scope.project.id"]) {
      throw new ApiError(400, "scope.project.id must be specified if include_subtree is also specified");
    }
    const effective = isSet(query.effective);
    demandNotBoth(query, "scope.domain.id", "scope.project.id", "Specify a domain or project, not both");
    demandNotBoth(query, "scope.domain.id", "scope.system", "Specify system or domain, not both");
    demandNotBoth(query, "scope.project.id", "scope.system", "Specify system or project, not both");
    demandNotBoth(query, "user.id", "group.id", "Specify a user or group, not both");
    if (effective && query["group.id"]) {
      throw new ApiError(400, "Combining effective and group filter will always result in an empty list.");
    }
    const all = effective
      ? effectiveGrants(accounts, accounts.grants.list()).map(ofUser)
      : accounts.grants.list().map(asMade);
    const lines = all
      .filter(matching(accounts, query))
      .filter((line) => scope.domain === undefined || liesIn(accounts, line, scope.domain.id));
    const view = assignmentView(accounts, url(), isSet(query.include_names));
    return collectionBody("role_assignments", lines.map(view), selfOf(context, request));
  });
}

const asMade = (grant: Grant): Assignment => ({ ...grant, source: grant });

const ofUser = ({ userId, ...grant }: EffectiveGrant): Assignment => ({ ...grant, actor: "user", actorId: userId });

function matching(accounts: Accounts, query: Query): (line: Assignment) => boolean {
  const asks = (key: string, value: string) => !query[key] || query[key] === value;
  const projectId = query["scope.project.id"];
  const places =
    typeof projectId !== "string" || projectId === ""
      ? undefined
      : [
          projectId,
          ...(isSet(query.include_subtree)
            ? below(accounts.projects.list(), { targetId: projectId }).map(({ id }) => id)
            : []),
        ];
  const inherited = query["scope.OS-INHERIT:inherited_to"];
  return (line) =>
    asks("role.id", line.roleId) &&
    (!query["user.id"] || (line.actor === "user" && asks("user.id", line.actorId))) &&
    (!query["group.id"] || (line.actor === "group" && asks("group.id", line.actorId))) &&
    (!query["scope.domain.id"] || (line.target === "domain" && asks("scope.domain.id", line.targetId))) &&
    (places === undefined || (line.target === "project" && places.includes(line.targetId))) &&
    (!query["scope.system"] || line.target === "system") &&
    (inherited === undefined || line.source.inherited === (inherited === "projects"));
}

function liesIn(accounts: Accounts, { target, targetId }: Assignment, domainId: string): boolean {
  if (target === "domain") return targetId === domainId;
  return target === "project" && accounts.projects.get(targetId)?.domainId === domainId;
}

function assignmentView(accounts: Accounts, url: string, withNames: boolean): (line: Assignment) => unknown {
  const domain = (id: string) => ({ id, name: accounts.projects.get(id)?.name ?? "" });
  const named = (id: string, item: { name: string; domainId: string | null } | undefined) =>
    withNames && item !== undefined
      ? { id, name: item.name, ...(item.domainId === null ? {} : { domain: domain(item.domainId) }) }
      : { id };
  return ({ actor, actorId, target, targetId, roleId, source, priorRoleId }) => {
    const place = accounts.projects.get(targetId);
    const isMember = actor === "user" && source.actor === "group";
    const actorItem = actor === "user" ? accounts.users.get(actorId) : accounts.groups.get(actorId);
    const path = [
      ...(source.target === "system" ? ["system"] : [`${source.target}s`, source.targetId]),
      ...[`${source.actor}s`, source.actorId, "roles", priorRoleId ?? roleId],
    ].join("/");
    return {
      links: {
        ...(isMember ? { membership: `${url}/groups/${source.actorId}/users/${actorId}` } : {}),
        assignment: source.inherited ? `${url}/OS-INHERIT/${path}/inherited_to_projects` : `${url}/${path}`,
        ...(priorRoleId === undefined ? {} : { prior_role: `${url}/prior_role/${roleId}/implies/${priorRoleId}` }),
      },
      scope: {
        ...(target === "system" ? { system: { all: true } } : { [target]: named(targetId, place) }),
        ...(source.inherited ? { "OS-INHERIT:inherited_to": "projects" } : {}),
      },
      [actor]: named(actorId, actorItem),
      role: named(roleId, accounts.roles.get(roleId)),
    };
  };
}
