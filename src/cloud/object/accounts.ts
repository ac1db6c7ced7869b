import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { isAdmin } from "../identity/scope.ts";
import { mayLookInto, ownsAccount } from "./acl.ts";
import { bulkDeleteRequest } from "./bulk-delete.ts";
import { type ObjectContext, projectOfAccount } from "./context.ts";
import { accountHeaders, metadataFrom, removedMetadata } from "./headers.ts";
import { emptyListing, type ListingQuery, listingTime, listNames, sendListing } from "./listing.ts";
import { demandSmallMetadata, demandSmallWhole } from "./metadata-limits.ts";
import { demandQuotaNumbers } from "./object-quotas.ts";
import { allFiguresOf, type Container, ensureAccount, figuresOf, swiftNow } from "./records.ts";
import { refusal, refuse } from "./refusals.ts";

interface Account {
  Params: { account: string };
  Querystring: ListingQuery;
}

/** `/v1/AUTH_<project>`: the list of containers. */
export function accountRoutes(app: FastifyInstance, context: ObjectContext): void {
  const { tables, caller, domainOf } = context;
  const containersOf = (projectId: string) =>
    tables.containers.list((item) => item.projectId === projectId).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  /** @returns whether the account is there */
  const describe = (reply: FastifyReply, projectId: string, isOwner: boolean) => {
    const containers = containersOf(projectId);
    const account = tables.accounts.get(projectId);
    const isThere = account !== undefined || containers.length > 0;
    const timestamp = (account?.timestamp ?? containers[0]?.timestamp ?? swiftNow()).toFixed(5);
    reply.headers({ ...accountFigures(tables, containers, "x-account"), "x-timestamp": timestamp });
    if (!isThere) {
      reply.header("x-put-timestamp", timestamp); // of an answer that is made up, for nobody has written to it
      return false;
    }
    if (account?.hasHadContainers || containers.length > 0) {
      reply.headers(accountFigures(tables, containers, "x-account-storage-policy-policy-0"));
    }
    reply.headers({ "x-account-project-domain-id": domainOf(projectId), "accept-ranges": "bytes" });
    reply.headers(accountHeaders(account?.metadata ?? {}, isOwner));
    return true;
  };

  app.get<Account>("/v1/:account", (request, reply) => {
    const projectId = projectOfAccount(request.params.account);
    const who = caller(request);
    if (!mayLookInto(who, projectId)) throw refuse(who);
    const entries = listNames(containersOf(projectId), request.query);
    describe(reply, projectId, ownsAccount(who, projectId));
    return sendListing(reply, entries, {
      elements: ["account", "container"],
      name: request.params.account,
      fields: (container) => ({
        ...{ name: container.name, ...figuresOf(tables, container) },
        last_modified: listingTime(container.timestamp),
      }),
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
    ensureAccount(tables, projectId, { metadata: kept });
    return reply.code(204).send();
  });
  app.head<Account>("/v1/:account", (request, reply) => {
    const projectId = projectOfAccount(request.params.account);
    const who = caller(request);
    if (!mayLookInto(who, projectId)) throw refuse(who);
    const isThere = describe(reply, projectId, ownsAccount(who, projectId));
    return reply
      .code(isThere ? 204 : 200)
      .headers(emptyListing(request.query, request.headers.accept))
      .send();
  });
}

/** What an account comes to, or one of its storage policies. What keeps versions is a container of its own, and each is an object. */
function accountFigures(
  tables: ObjectContext["tables"],
  containers: Container[],
  prefix: string,
): Record<string, number> {
  const hidden = containers.filter(({ versioned }) => versioned !== undefined).length;
  const figures = containers.map((container) => allFiguresOf(tables, container));
  const sum = (key: "count" | "bytes") => figures.reduce((total, one) => total + one[key], 0);
  return {
    [`${prefix}-container-count`]: containers.length + hidden,
    [`${prefix}-object-count`]: sum("count"),
    [`${prefix}-bytes-used`]: sum("bytes"),
  };
}

/** How much there may be in an account is for administrators to say. @throws ApiError 400, 403 */
function demandQuotaRight({ headers }: FastifyRequest, mayJudge: boolean): void {
  const quota = headers["x-account-meta-quota-bytes"];
  if (quota === undefined && headers["x-remove-account-meta-quota-bytes"] === undefined) return;
  if (!mayJudge) throw refusal(403);
  if (quota !== undefined) demandQuotaNumbers({ "quota-bytes": String(quota) });
}
