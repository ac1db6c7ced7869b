import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { isAdmin } from "../identity/scope.ts";
import { mayLookInto, ownsAccount } from "./acl.ts";
import { bulkDeleteRequest } from "./bulk-delete.ts";
import { type ObjectContext, projectOfAccount } from "./context.ts";
import { accountHeaders, metadataFrom, removedMetadata } from "./headers.ts";
import { type ListingQuery, listingTime, listNames, sendListing } from "./listing.ts";
import { demandSmallMetadata, demandSmallWhole } from "./metadata-limits.ts";
import { demandQuotaNumbers } from "./object-quotas.ts";
import { bytesOf, objectsOf, swiftNow } from "./records.ts";
import { refusal, refuse } from "./refusals.ts";

interface Account {
  Params: { account: string };
  Querystring: ListingQuery;
}

/** `/v1/AUTH_<project>`: the list of containers. */
export function accountRoutes(app: FastifyInstance, context: ObjectContext): void {
  const { tables, caller } = context;
  const containersOf = (projectId: string) =>
    tables.containers.list((item) => item.projectId === projectId).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const describe = (reply: FastifyReply, projectId: string, isOwner: boolean) => {
    const containers = containersOf(projectId);
    const objects = containers.flatMap((container) => objectsOf(tables, container));
    reply.header("x-account-container-count", containers.length);
    reply.header("x-account-object-count", objects.length);
    reply.header("x-account-bytes-used", bytesOf(objects));
    reply.header("x-timestamp", (containers[0]?.timestamp ?? swiftNow()).toFixed(5));
    reply.header("accept-ranges", "bytes");
    reply.headers(accountHeaders(tables.accounts.get(projectId)?.metadata ?? {}, isOwner));
    return containers;
  };

  app.get<Account>("/v1/:account", (request, reply) => {
    const projectId = projectOfAccount(request.params.account);
    const who = caller(request);
    if (!mayLookInto(who, projectId)) throw refuse(who);
    const entries = listNames(describe(reply, projectId, ownsAccount(who, projectId)), request.query);
    return sendListing(reply, entries, {
      elements: ["account", "container"],
      name: request.params.account,
      fields: (container) => {
        const objects = objectsOf(tables, container);
        return {
          name: container.name,
          count: objects.length,
          bytes: bytesOf(objects),
          last_modified: listingTime(container.timestamp),
        };
      },
    });
  });
  app.post<Account>("/v1/:account", async (request, reply) => {
    if ("bulk-delete" in request.query) return bulkDeleteRequest(context, request, reply);
    const projectId = projectOfAccount(request.params.account);
    const who = caller(request);
    if (!ownsAccount(who, projectId)) throw refuse(who);
    demandQuotaRight(request, who.kind === "token" && isAdmin(who.scope));
    const before = tables.accounts.get(projectId)?.metadata ?? {};
    const metadata = { ...before, ...metadataFrom(request.headers, "account") };
    for (const name of removedMetadata(request.headers, "account")) delete metadata[name];
    demandSmallMetadata(request.headers, "account");
    demandSmallWhole(metadata);
    const kept = Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== ""));
    tables.accounts.put({ id: projectId, metadata: kept });
    return reply.code(204).send();
  });
  app.head<Account>("/v1/:account", (request, reply) => {
    const projectId = projectOfAccount(request.params.account);
    const who = caller(request);
    if (!mayLookInto(who, projectId)) throw refuse(who);
    describe(reply, projectId, ownsAccount(who, projectId));
    return reply.code(204).send();
  });
}

/** How much there may be in an account is for administrators to say. @throws ApiError 400, 403 */
function demandQuotaRight({ headers }: FastifyRequest, mayJudge: boolean): void {
  const quota = headers["x-account-meta-quota-bytes"];
  if (quota === undefined && headers["x-remove-account-meta-quota-bytes"] === undefined) return;
  if (!mayJudge) throw refusal(403);
  if (quota !== undefined) demandQuotaNumbers({ "quota-bytes": String(quota) });
}
