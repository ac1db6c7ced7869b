import { randomBytes } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { parseBody } from "../http/body.ts";
import { isoSeconds } from "../http/time.ts";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { type Server, statusOf } from "./records.ts";
import { createServer } from "./server-create.ts";
import { addressesOf, serverLinks, serverView, type ViewContext } from "./server-view.ts";

/** The server if the scope may use it, else Nova's 404. */
export function ownServer({ servers }: ComputeContext, scope: Scope, id: string): Server {
  const server = servers.get(id);
  if (server === undefined || !owns(scope, server.projectId)) throw nova.serverNotFound(id);
  return server;
}

/** What a view of a server needs, from the request that asks. */
export function viewContext({ tables, blockDevices, base }: ComputeContext, request: FastifyRequest): ViewContext {
  return { tables, blockDevices, base: base(), microversion: request.microversion, scope: request.scope };
}

/** Marks a server as being deleted and hands it to the lifecycle; a second call changes nothing. */
export function deleteServer({ servers, lifecycle }: ComputeContext, server: Server): void {
  if (server.taskState === "deleting") return;
  servers.patch(server.id, { taskState: "deleting" });
  lifecycle.delete(server.id);
}

const updateBody = z.object({
  server: z.strictObject({
    name: z.string().trim().min(1).max(255).optional(),
    description: z.string().max(255).nullable().optional(),
    hostname: z.string().max(63).optional(),
    "OS-DCF:diskConfig": z.enum(["AUTO", "MANUAL"]).optional(),
    accessIPv4: z.literal("").optional(),
    accessIPv6: z.literal("").optional(),
  }),
});

interface One {
  Params: { id: string };
}

/** `/servers`: list, create, show, update, delete, addresses. */
export function serverRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { store, servers, tables, lifecycle, base } = context;

  app.get<{ Querystring: ServerQuery }>("/servers", ({ scope, query }) => ({
    servers: select(context, scope, query).map(({ id, name }) => ({ id, name, links: serverLinks(id, base()) })),
  }));
  app.get<{ Querystring: ServerQuery }>("/servers/detail", (request) => ({
    servers: select(context, request.scope, request.query).map((server) =>
      serverView(server, viewContext(context, request)),
    ),
  }));

  app.post("/servers", ({ scope, body, microversion }, reply) => {
    const server = store.transaction(() => createServer(context, scope, body, microversion));
    lifecycle.boot(server.id);
    const asked = (body as { server: { security_groups?: { name: string }[] } }).server.security_groups;
    return reply
      .code(202)
      .header("location", `${base()}/compute/v2.1/servers/${server.id}`)
      .send({
        server: {
          id: server.id,
          links: serverLinks(server.id, base()),
          "OS-DCF:diskConfig": "MANUAL",
          security_groups: asked ?? [{ name: "default" }],
          // guests have no password login; the field is there because clients read it
          adminPass: randomBytes(9).toString("base64url"),
        },
      });
  });

  app.get<One>("/servers/:id", (request) => ({
    server: serverView(ownServer(context, request.scope, request.params.id), viewContext(context, request)),
  }));

  app.put<One>("/servers/:id", (request) => {
    const { server: change } = parseBody(updateBody, request.body);
    const server = store.transaction(() => {
      const own = ownServer(context, request.scope, request.params.id);
      return servers.put({
        ...own,
        name: change.name ?? own.name,
        description: change.description === undefined ? own.description : change.description,
        updatedAt: isoSeconds(),
      });
    });
    return { server: serverView(server, viewContext(context, request)) };
  });

  app.delete<One>("/servers/:id", ({ scope, params }, reply) => {
    deleteServer(context, ownServer(context, scope, params.id));
    return reply.code(204).send();
  });

  app.get<One>("/servers/:id/ips", ({ scope, params }) => ({
    addresses: shortAddresses(addressesOf(ownServer(context, scope, params.id), tables)),
  }));
}

function shortAddresses(addresses: Record<string, unknown[]>): Record<string, unknown[]> {
  const short = (item: unknown) => {
    const { version, addr } = item as { version: number; addr: string };
    return { version, addr };
  };
  return Object.fromEntries(Object.entries(addresses).map(([name, list]) => [name, list.map(short)]));
}

interface ServerQuery {
  name?: string;
  status?: string;
  flavor?: string;
  image?: string;
  ip?: string;
  key_name?: string;
  all_tenants?: string;
  project_id?: string;
  tenant_id?: string;
  tags?: string;
  "tags-any"?: string;
  "changes-since"?: string;
  deleted?: string;
  limit?: string;
  marker?: string;
  sort_key?: string;
  sort_dir?: string;
}

/** Nova's list: newest first; `name` and `ip` are regular expressions. */
function select({ servers, tables }: ComputeContext, scope: Scope, query: ServerQuery): Server[] {
  if (query.deleted?.toLowerCase() === "true") return [];
  const everyone = isAdmin(scope) && query.all_tenants !== undefined && !/^(0|false)$/i.test(query.all_tenants);
  const project = everyone ? (query.project_id ?? query.tenant_id) : projectOf(scope).id;
  const name = pattern(query.name);
  const ip = pattern(query.ip);
  const wantedTags = query.tags?.split(",") ?? [];
  const anyTags = query["tags-any"]?.split(",");
  const matching = servers
    .list((server) => project === undefined || server.projectId === project)
    .filter((server) => name === undefined || name.test(server.name))
    .filter((server) => query.status === undefined || statusOf(server) === query.status.toUpperCase())
    .filter((server) => query.flavor === undefined || server.flavor.id === query.flavor)
    .filter((server) => query.image === undefined || server.imageId === query.image)
    .filter((server) => query.key_name === undefined || server.keyName === query.key_name)
    .filter((server) => wantedTags.every((tag) => server.tags.includes(tag)))
    .filter((server) => anyTags === undefined || anyTags.some((tag) => server.tags.includes(tag)))
    .filter(
      (server) =>
        query["changes-since"] === undefined || Date.parse(server.updatedAt) >= Date.parse(query["changes-since"]),
    )
    .filter((server) => ip === undefined || addressTexts(server).some((address) => ip.test(address)))
    .toReversed();
  const from = query.marker === undefined ? 0 : matching.findIndex((server) => server.id === query.marker) + 1;
  return matching.slice(from, query.limit === undefined ? undefined : from + Number(query.limit));

  function addressTexts(server: Server): string[] {
    return Object.values(addressesOf(server, tables)).flatMap((list) =>
      list.map((item) => (item as { addr: string }).addr),
    );
  }
}

function pattern(text: string | undefined): RegExp | undefined {
  if (text === undefined) return undefined;
  try {
    return new RegExp(text);
  } catch {
    throw nova.badRequest(`Invalid filter value '${text}'`); // the client's own regular expression is malformed
  }
}
