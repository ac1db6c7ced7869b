import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import { isoSeconds } from "../http/time.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { demandUnlocked } from "./action.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { type Asker, actionTable, startAction } from "./instance-actions.ts";
import { nextLinks, type Query } from "./paging.ts";
import { deletedServerTable, type Server } from "./records.ts";
import { description, diskConfig, ipv4Address, ipv6Address, name, since } from "./schema-types.ts";
import { addressesOf, shortAddresses } from "./server-addresses.ts";
import { createServers } from "./server-create.ts";
import { hostname } from "./server-create-body.ts";
import { listServers } from "./server-list.ts";
import { serverLinks, serverView, type ViewContext } from "./server-view.ts";

/** The server if the scope may use it, else Nova's 404. */
export function ownServer({ servers }: Pick<ComputeContext, "servers">, scope: Scope, id: string): Server {
  const server = servers.get(id);
  if (server === undefined || !owns(scope, server.projectId)) throw nova.serverNotFound(id);
  return server;
}

/** As {@link ownServer}, also one that is gone. */
export function ownOrGone(context: ComputeContext, scope: Scope, id: string): Server {
  const gone = deletedServerTable(context.store).get(id);
  return gone !== undefined && owns(scope, gone.projectId) ? gone : ownServer(context, scope, id);
}

/** What a view of a server needs, from the request that asks. */
export function viewContext({ tables, blockDevices, base }: ComputeContext, request: FastifyRequest): ViewContext {
  return { tables, blockDevices, base: base(), microversion: request.microversion, scope: request.scope };
}

/**
 * Marks a server as being deleted and hands it to the lifecycle; a second call changes nothing.
 * @throws ApiError 409 for a locked one
 */
export function deleteServer({ store, servers, lifecycle }: ComputeContext, server: Server, asker: Asker): void {
  demandUnlocked(server, asker.scope);
  if (server.taskState === "deleting") return;
  store.transaction(() => {
    startAction(actionTable(store), server.id, asker, "delete");
    servers.patch(server.id, { taskState: "deleting" });
  });
  lifecycle.delete(server.id);
}

const updateBody = (microversion: number) =>
  z.strictObject({
    server: z.strictObject({
      name: name.optional(),
      "OS-DCF:diskConfig": diskConfig.optional(),
      accessIPv4: ipv4Address.optional(),
      accessIPv6: ipv6Address.optional(),
      description: since(microversion, 19, description),
      hostname: since(microversion, 90, hostname),
    }),
  });

interface One {
  Params: { id: string };
}
interface Listed {
  Querystring: Query;
}

/** `/servers`: list, create, show, update, delete, addresses. */
export function serverRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { store, servers, tables, lifecycle, base } = context;
  const list = (
    { scope, query, microversion }: FastifyRequest<Listed>,
    kind: "index" | "detail",
    view: (server: Server) => unknown,
  ) => {
    const page = listServers(context, { scope, query, microversion, policy: `servers:${kind}` });
    const path = kind === "index" ? "servers" : "servers/detail";
    const links = nextLinks(`${base()}/compute/v2.1/${path}`, query, page.length, page.at(-1)?.id);
    return { servers: page.map(view), ...(links === undefined ? {} : { servers_links: links }) };
  };

  app.get<Listed>("/servers", (request) =>
    list(request, "index", ({ id, name: called }) => ({ id, name: called, links: serverLinks(id, base()) })),
  );
  app.get<Listed>("/servers/detail", (request) => {
    const viewed = viewContext(context, request);
    return list(request, "detail", (server) => serverView(server, viewed, "listed"));
  });

  app.post("/servers", ({ scope, body: input, microversion, id: requestId }, reply) => {
    const created = store.transaction(() => createServers(context, { scope, requestId }, input, microversion));
    for (const { id } of created.servers) lifecycle.boot(id);
    const [first] = created.servers;
    if (first === undefined) throw new Error("a create made no server");
    if (created.body.return_reservation_id) return reply.code(202).send({ reservation_id: created.reservationId });
    return located(reply, context, first.id)
      .code(202)
      .send({
        server: {
          id: first.id,
          links: serverLinks(first.id, base()),
          "OS-DCF:diskConfig": first.diskConfig,
          security_groups: created.body.security_groups ?? [{ name: "default" }],
          // guests have no login by it unless something in them sets it; it is there because clients read it
          adminPass: first.adminPass,
        },
      });
  });

  app.get<One>("/servers/:id", (request) => ({
    server: serverView(ownServer(context, request.scope, request.params.id), viewContext(context, request)),
  }));

  app.put<One>("/servers/:id", (request) => {
    const { server: change } = parseSchema(updateBody(request.microversion), request.body ?? null);
    const server = store.transaction(() => {
      const own = ownServer(context, request.scope, request.params.id);
      const given = {
        name: change.name,
        description: change.description,
        hostname: change.hostname,
        accessIPv4: change.accessIPv4,
        accessIPv6: change.accessIPv6,
        diskConfig: change["OS-DCF:diskConfig"],
      };
      const known = Object.entries(given).filter(([, value]) => value !== undefined);
      return servers.put({ ...own, ...(Object.fromEntries(known) as Partial<Server>), updatedAt: isoSeconds() });
    });
    return { server: serverView(server, viewContext(context, request), "updated") };
  });

  app.delete<One>("/servers/:id", ({ scope, params, id: requestId }, reply) => {
    deleteServer(context, ownServer(context, scope, params.id), { scope, requestId });
    return reply.code(204).send();
  });

  app.get<One>("/servers/:id/ips", ({ scope, params }) => ({
    addresses: shortAddresses(addressesOf(ownServer(context, scope, params.id), tables)),
  }));
  app.get<{ Params: { id: string; network: string } }>("/servers/:id/ips/:network", ({ scope, params }) => {
    const addresses = shortAddresses(addressesOf(ownServer(context, scope, params.id), tables));
    const found = addresses[params.network];
    if (found === undefined) throw new ApiError(404, "Instance is not a member of specified network");
    return { [params.network]: found };
  });
}

/** Where the server that was made is found. */
function located(reply: FastifyReply, { base }: ComputeContext, id: string): FastifyReply {
  return reply.header("location", `${base()}/compute/v2.1/servers/${id}`);
}
