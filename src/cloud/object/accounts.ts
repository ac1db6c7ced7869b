import type { FastifyInstance, FastifyReply } from "fastify";
import { ownsAccount } from "./acl.ts";
import { type ObjectContext, projectOfAccount, refuse } from "./context.ts";
import { metadataFrom, metadataHeaders } from "./headers.ts";
import { type ListingQuery, listingTime, listNames, sendLines, wantsJson } from "./listing.ts";
import { objectsOf, swiftNow } from "./records.ts";

interface Account {
  Params: { account: string };
  Querystring: ListingQuery;
}

/** `/v1/AUTH_<project>`: the list of containers. */
export function accountRoutes(app: FastifyInstance, context: ObjectContext): void {
  const { tables, caller } = context;
  const containersOf = (projectId: string) =>
    tables.containers.list((item) => item.projectId === projectId).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const describe = (reply: FastifyReply, projectId: string) => {
    const containers = containersOf(projectId);
    const objects = containers.flatMap((container) => objectsOf(tables, container));
    reply.header("x-account-container-count", containers.length);
    reply.header("x-account-object-count", objects.length);
    reply.header(
      "x-account-bytes-used",
      objects.reduce((sum, object) => sum + object.size, 0),
    );
    reply.header("x-timestamp", (containers[0]?.timestamp ?? swiftNow()).toFixed(5));
    reply.header("accept-ranges", "bytes");
    reply.headers(metadataHeaders(tables.accounts.get(projectId)?.metadata ?? {}, "account"));
    return containers;
  };

  app.get<Account>("/v1/:account", (request, reply) => {
    const projectId = projectOfAccount(request.params.account);
    const who = caller(request);
    if (!ownsAccount(who, projectId)) throw refuse(who);
    const entries = listNames(describe(reply, projectId), request.query);
    if (!wantsJson(request.query, request.headers.accept)) return sendLines(reply, entries);
    return reply.send(
      entries.map((entry) => {
        if ("subdir" in entry) return entry;
        const objects = objectsOf(tables, entry.item);
        return {
          name: entry.name,
          count: objects.length,
          bytes: objects.reduce((sum, object) => sum + object.size, 0),
          last_modified: listingTime(entry.item.timestamp),
        };
      }),
    );
  });
  app.post<Account>("/v1/:account", (request, reply) => {
    const projectId = projectOfAccount(request.params.account);
    const who = caller(request);
    if (!ownsAccount(who, projectId)) throw refuse(who);
    const before = tables.accounts.get(projectId)?.metadata ?? {};
    const metadata = { ...before, ...metadataFrom(request.headers, "account") };
    const kept = Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== ""));
    tables.accounts.put({ id: projectId, metadata: kept });
    return reply.code(204).send();
  });
  app.head<Account>("/v1/:account", (request, reply) => {
    const projectId = projectOfAccount(request.params.account);
    const who = caller(request);
    if (!ownsAccount(who, projectId)) throw refuse(who);
    describe(reply, projectId);
    return reply.code(204).send();
  });
}
