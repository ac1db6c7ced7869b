import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { Collection } from "../store/store.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { pageOf, type Query } from "./paging.ts";
import { limitsOf } from "./quota-limits.ts";
import type { Server, ServerGroup } from "./records.ts";
import { count, name } from "./schema-types.ts";

const hard = ["anti-affinity", "affinity"] as const;
const all = [...hard, "soft-anti-affinity", "soft-affinity"] as const;

/** `policies` until 2.63; the soft ones from 2.15 on. */
const listedBody = (microversion: number) =>
  z.strictObject({
    server_group: z.strictObject({
      name,
      policies: z
        .array(z.enum(microversion >= 15 ? all : hard))
        .min(1)
        .max(1),
    }),
  });
const ruledBody = z.strictObject({
  server_group: z.strictObject({
    name,
    policy: z.enum(all),
    rules: z.strictObject({ max_server_per_host: count(1).optional() }).optional(),
  }),
});

interface One {
  Params: { id: string };
}
interface Listing {
  Querystring: Query;
}

/** `/os-server-groups` */
export function serverGroupRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { store, serverGroups, servers } = context;
  const view = (group: ServerGroup, microversion: number) =>
    groupView(group, membersOf(servers, group.id), microversion);

  app.get<Listing>("/os-server-groups", ({ scope, query, microversion }) => {
    const everyone = isAdmin(scope) && query.all_projects !== undefined;
    const own = serverGroups.list((group) => everyone || group.projectId === projectOf(scope).id);
    const page = pageOf(own, query);
    return { server_groups: page.map((group) => view(group, microversion)) };
  });

  app.post("/os-server-groups", ({ scope, body, microversion }) => {
    const asked = parseGroup(body, microversion);
    const group = store.transaction(() => {
      const projectId = projectOf(scope).id;
      const limit = limitsOf(context.quotas, projectId).server_groups;
      const own = serverGroups.list((other) => other.projectId === projectId).length;
      if (limit >= 0 && own >= limit) {
        throw new ApiError(403, "Quota exceeded, too many server groups.");
      }
      return serverGroups.put({ id: randomUUID(), projectId, userId: scope.userId, ...asked });
    });
    return { server_group: view(group, microversion) };
  });

  app.get<One>("/os-server-groups/:id", ({ scope, params, microversion }) => ({
    server_group: view(ownGroup(serverGroups, scope, params.id), microversion),
  }));

  app.delete<One>("/os-server-groups/:id", ({ scope, params }, reply) => {
    serverGroups.delete(ownGroup(serverGroups, scope, params.id).id);
    return reply.code(204).send();
  });
}

function parseGroup(body: unknown, microversion: number): Pick<ServerGroup, "name" | "policy" | "maxServerPerHost"> {
  if (microversion < 64) {
    const { server_group: asked } = parseSchema(listedBody(microversion), body);
    return { name: asked.name, policy: asked.policies[0] ?? "affinity", maxServerPerHost: null };
  }
  const { server_group: asked } = parseSchema(ruledBody, body);
  if (asked.rules !== undefined && asked.policy !== "anti-affinity") {
    throw nova.badRequest("Only anti-affinity policy supports rules.");
  }
  return { name: asked.name, policy: asked.policy, maxServerPerHost: asked.rules?.max_server_per_host ?? null };
}

function groupView(group: ServerGroup, members: string[], microversion: number): Record<string, unknown> {
  const { id, policy, projectId, userId, maxServerPerHost } = group;
  const rules = maxServerPerHost === null ? {} : { max_server_per_host: maxServerPerHost };
  return {
    id,
    name: group.name,
    ...(microversion >= 64 ? { policy, rules } : { policies: [policy], metadata: {} }),
    members,
    ...(microversion >= 13 ? { project_id: projectId, user_id: userId } : {}),
  };
}

function ownGroup(groups: Collection<ServerGroup>, scope: Scope, id: string): ServerGroup {
  const group = groups.get(id);
  if (group === undefined || !owns(scope, group.projectId)) throw new ApiError(404, groupMissing(id));
  return group;
}

function groupMissing(id: string): string {
  return `Instance group ${id} could not be found.`;
}

function membersOf(servers: Collection<Server>, groupId: string): string[] {
  return servers.list((server) => server.groupId === groupId).map(({ id }) => id);
}

/**
 * The group that a new server's hints name; null for none.
 * @param wanted how many servers it is to take
 * @throws ApiError 400 for one that is not there, 403 where it is full
 */
export function groupOfHints(
  { serverGroups, servers, quotas }: Pick<ComputeContext, "serverGroups" | "servers" | "quotas">,
  scope: Scope,
  asked: { group?: string | undefined } | undefined,
  wanted: number,
): string | null {
  const id = asked?.group;
  if (id === undefined) return null;
  const group = serverGroups.get(id);
  if (group === undefined || !owns(scope, group.projectId)) throw nova.badRequest(groupMissing(id));
  const limit = limitsOf(quotas, group.projectId).server_group_members;
  if (limit >= 0 && membersOf(servers, id).length + wanted > limit) {
    throw new ApiError(403, "Quota exceeded, too many servers in group");
  }
  return id;
}

/**
 * The scheduler's part: this cloud is one host, so an anti-affinity group has room for as many servers as one host may have.
 * @throws Error with the server's fault
 */
export function demandPlaceInGroup(
  { serverGroups, servers }: Pick<ComputeContext, "serverGroups" | "servers">,
  server: Server,
): void {
  const group = server.groupId ? serverGroups.get(server.groupId) : undefined;
  if (group?.policy !== "anti-affinity" || server.launchedAt !== null) return;
  const placed = servers.list((other) => other.groupId === group.id && other.vmState !== "error");
  const before = placed.findIndex(({ id }) => id === server.id);
  if (before < (group.maxServerPerHost ?? 1)) return;
  throw new Error("No valid host was found. There are not enough hosts available.");
}
