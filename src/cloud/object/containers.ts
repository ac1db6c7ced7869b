import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { booleanLike, parseBody } from "../http/body.ts";
import { mayList, ownsAccount } from "./acl.ts";
import { notFound, type ObjectContext, projectOfAccount, refuse } from "./context.ts";
import { containerHeaders, metadataFrom, removedMetadata } from "./headers.ts";
import { type ListingQuery, listingTime, listNames, sendListing } from "./listing.ts";
import { demandQuotaNumbers } from "./object-quotas.ts";
import { type Container, objectsOf, swiftNow } from "./records.ts";
import { versionLines, versionsOf } from "./versions.ts";

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
  const listable = (request: FastifyRequest<One>): Container => {
    const container = tables.containers.get(idOf(request));
    const who = caller(request);
    if (
      container !== undefined ? !mayList(who, container) : !ownsAccount(who, projectOfAccount(request.params.account))
    ) {
      throw refuse(who);
    }
    if (container === undefined) throw notFound();
    return container;
  };

  app.put<One>(path, (request, reply) => {
    demandOwner(request);
    const name = request.params.container;
    // as in Swift: a record is named by container and object with a slash between
    if (name.includes("/")) throw new ApiError(400, "Container name cannot contain a slash");
    if (Buffer.byteLength(name) > 256) throw new ApiError(400, "Container name length longer than 256");
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
      tables.containers.put(changed(found ?? fresh, request));
      return found !== undefined;
    });
    return reply.code(existed ? 202 : 201).send();
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
    demandOwner(request);
    store.transaction(() => {
      const found = tables.containers.get(idOf(request));
      if (found === undefined) throw notFound();
      if (objectsOf(tables, found).length > 0 || versionsOf(tables, found).length > 0) {
        throw new ApiError(409, "There was a conflict when trying to complete your request.");
      }
      tables.containers.delete(found.id);
    });
    return reply.code(204).send();
  });

  app.head<One>(path, (request, reply) => {
    const container = listable(request);
    return reply
      .code(204)
      .headers(containerHeaders(container, objectsOf(tables, container)))
      .send();
  });

  app.get<One>(path, (request, reply) => {
    const container = listable(request);
    const objects = objectsOf(tables, container);
    reply.headers(containerHeaders(container, objects));
    if (request.query.versions !== undefined) return reply.send(versionLines(tables, container, request.query));
    return sendListing(reply, listNames(objects, request.query), {
      elements: ["container", "object"],
      name: container.name,
      fields: (object) => ({
        name: object.name,
        hash: object.etag,
        bytes: object.slo?.size ?? object.size,
        content_type: object.contentType,
        last_modified: listingTime(object.timestamp),
        ...(object.slo === undefined ? {} : { slo_etag: `"${object.slo.etag}"` }),
      }),
    });
  });
}

/** What a PUT or POST changes: only what it names; an empty header clears. */
function changed(container: Container, request: FastifyRequest): Container {
  const metadata = { ...container.metadata, ...metadataFrom(request.headers, "container") };
  for (const name of removedMetadata(request.headers, "container")) delete metadata[name];
  demandQuotaNumbers(metadata);
  const versioned = request.headers["x-versions-enabled"];
  const text = (name: string, before: string) => {
    const value = request.headers[name];
    return value === undefined ? before : String(value).trim();
  };
  return {
    ...container,
    readAcl: text("x-container-read", container.readAcl),
    writeAcl: text("x-container-write", container.writeAcl),
    syncTo: text("x-container-sync-to", container.syncTo ?? ""),
    syncKey: text("x-container-sync-key", container.syncKey ?? ""),
    ...(versioned === undefined ? {} : { versioned: parseBody(booleanLike, versioned) }),
    metadata: Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== "")),
  };
}
