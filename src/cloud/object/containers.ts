import type { FastifyInstance, FastifyRequest } from "fastify";
import { cleanAcl, mayList, mayLookInto, ownsAccount } from "./acl.ts";
import { type ObjectContext, projectOfAccount } from "./context.ts";
import { containerHeaders, isTrue, metadataFrom, removedMetadata, versionPath } from "./headers.ts";
import { emptyListing, type ListingQuery, listingTime, listNames, sendListing } from "./listing.ts";
import { demandSmallMetadata, demandSmallWhole } from "./metadata-limits.ts";
import { demandQuotaNumbers } from "./object-quotas.ts";
import { type Container, ensureAccount, figuresOf, listedSize, objectsOf, swiftNow } from "./records.ts";
import { bareRefusal, notFound, refuse, sendAccepted } from "./refusals.ts";
import { deleteContainer } from "./removal.ts";
import { versionLines } from "./versions.ts";

interface One {
  Params: { account: string; container: string };
  Querystring: ListingQuery;
}

/** `/v1/AUTH_<project>/<container>` */
export function containerRoutes(app: FastifyInstance, context: ObjectContext): void {
  const { store, tables, caller } = context;
  const path = "/v1/:account/:container";

  const idOf = (request: FastifyRequest<One>) =>
    `${projectOfAccount(request.params.account)}/${request.params.container}`;
  const demandOwner = (request: FastifyRequest<One>) => {
    const who = caller(request);
    if (!ownsAccount(who, projectOfAccount(request.params.account))) throw refuse(who);
  };
  const listable = (request: FastifyRequest<One>): { container: Container; isOwner: boolean } => {
    const projectId = projectOfAccount(request.params.account);
    const container = tables.containers.get(idOf(request));
    const who = caller(request);
    if (container === undefined) throw mayLookInto(who, projectId) ? notFound() : refuse(who);
    if (!mayList(who, container)) throw refuse(who);
    return { container, isOwner: ownsAccount(who, projectId) };
  };

  app.put<One>(path, (request, reply) => {
    demandOwner(request);
    const name = request.params.container;
    // as in Swift: a record is named by container and object with a slash between
    if (name.includes("/")) throw bareRefusal(400, "Container name cannot contain a slash");
    const length = Buffer.byteLength(name);
    if (length > 256) throw bareRefusal(400, `Container name length of ${length} longer than 256`);
    const existed = store.transaction(() => {
      const found = tables.containers.get(idOf(request));
      const fresh: Container = {
        id: idOf(request),
        projectId: projectOfAccount(request.params.account),
        name,
        readAcl: "",
        writeAcl: "",
        metadata: {},
        timestamp: swiftNow(),
      };
      ensureAccount(tables, fresh.projectId, { hasHadContainers: true });
      tables.containers.put(changed(found ?? fresh, request));
      return found !== undefined;
    });
    return existed ? sendAccepted(reply) : reply.code(201).send();
  });

  app.post<One>(path, (request, reply) => {
    demandOwner(request);
    store.transaction(() => {
      const found = tables.containers.get(idOf(request));
      if (found === undefined) throw notFound();
      tables.containers.put(changed(found, request));
    });
    return reply.code(204).send();
  });

  app.delete<One>(path, (request, reply) => {
    const { account, container } = request.params;
    deleteContainer(context, caller(request), { projectId: projectOfAccount(account), container });
    return reply.code(204).send();
  });

  app.head<One>(path, (request, reply) => {
    const { container, isOwner } = listable(request);
    return reply
      .code(204)
      .headers(containerHeaders(container, figuresOf(tables, container), isOwner))
      .headers(emptyListing(request.query, request.headers.accept))
      .send();
  });

  app.get<One>(path, (request, reply) => {
    const { container, isOwner } = listable(request);
    const isVersions = request.query.versions !== undefined;
    const lines = isVersions ? versionLines(tables, container, request.query) : [];
    const entries = isVersions ? [] : listNames(objectsOf(tables, container), request.query);
    reply.headers(containerHeaders(container, figuresOf(tables, container), isOwner));
    if (isVersions) return reply.send(lines);
    return sendListing(reply, entries, {
      elements: ["container", "object"],
      name: container.name,
      fields: (object) => ({
        name: object.name,
        hash: object.etag,
        bytes: listedSize(object),
        content_type: object.contentType,
        last_modified: listingTime(object.timestamp),
        ...(object.slo === undefined ? {} : { slo_etag: `"${object.slo.etag}"` }),
        ...(object.versionId === undefined ? {} : { symlink_path: versionPath(object), version_symlink: true }),
      }),
    });
  });
}

/** What a PUT or POST changes: only what it names; an empty header clears. */
function changed(container: Container, request: FastifyRequest): Container {
  const metadata = { ...container.metadata, ...metadataFrom(request.headers, "container") };
  for (const name of removedMetadata(request.headers, "container")) delete metadata[name];
  demandQuotaNumbers(metadata);
  demandSmallMetadata(request.headers, "container");
  demandSmallWhole(metadata);
  const versioned = request.headers["x-versions-enabled"];
  const text = (name: string, before: string) => {
    const value = request.headers[name];
    if (value === undefined && request.headers[name.replace(/^x-/, "x-remove-")] !== undefined) return "";
    return value === undefined ? before : String(value).trim();
  };
  return {
    ...container,
    readAcl: cleanAcl("x-container-read", text("x-container-read", container.readAcl)),
    writeAcl: cleanAcl("x-container-write", text("x-container-write", container.writeAcl)),
    syncTo: text("x-container-sync-to", container.syncTo ?? ""),
    syncKey: text("x-container-sync-key", container.syncKey ?? ""),
    ...(versioned === undefined ? {} : { versioned: isTrue(String(versioned)) }),
    metadata: Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== "")),
  };
}
