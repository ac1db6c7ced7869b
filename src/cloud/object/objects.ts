import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { isErrno } from "../../common/errors.ts";
import { now } from "../clock/clock.ts";
import { ApiError } from "../http/api-error.ts";
import { header } from "../identity/tokens.ts";
import { storeContent, TooMuchContent } from "../store/content.ts";
import { mayRead, mayWrite, ownsAccount } from "./acl.ts";
import { notFound, type ObjectContext, projectOfAccount, refuse } from "./context.ts";
import { metadataFrom, objectHeaders } from "./headers.ts";
import { largestObject } from "./limits.ts";
import { joined } from "./manifest.ts";
import { parseRange } from "./range.ts";
import { type Container, isExpired, type StoredObject, swiftNow } from "./records.ts";
import { demandTemporaryUrl, isTemporaryUrl, type TemporaryUrlQuery } from "./temporary-url.ts";
import { deleteVersion, keepVersion, markDeleted, newVersionId, oldVersion } from "./versions.ts";

const tooLarge = () => new ApiError(413, "The body of your request was too large for this server.");
/** What Swift's proxy makes of disks that are full. */
const unavailable = () => new ApiError(503, "The server is currently unavailable. Please try again at a later time.");

interface One {
  Params: { account: string; container: string; "*": string };
  Querystring: { "version-id"?: string } & TemporaryUrlQuery;
}
type Request = FastifyRequest<One>;

/** `/v1/AUTH_<project>/<container>/<object>` */
export function objectRoutes(app: FastifyInstance, context: ObjectContext): void {
  const { store, tables, folder, caller } = context;
  const path = "/v1/:account/:container/*";

  /** The container, if the caller may do this with its objects; who may not see it is refused before anything is told. */
  const permitted = (request: Request, may: typeof mayRead): Container => {
    const projectId = projectOfAccount(request.params.account);
    const container = tables.containers.get(`${projectId}/${request.params.container}`);
    const who = caller(request);
    if (isTemporaryUrl(request.query)) {
      demandTemporaryUrl(tables, projectId, container, request);
      if (container === undefined) throw notFound();
      return container;
    }
    if (container === undefined) throw ownsAccount(who, projectId) ? notFound() : refuse(who);
    if (!may(who, container)) throw refuse(who);
    return container;
  };
  const existing = (container: Container, request: Request): StoredObject => {
    const id = `${container.id}/${request.params["*"]}`;
    const object = tables.objects.get(id);
    const wanted = request.query["version-id"];
    if (wanted !== undefined && wanted !== object?.versionId) return oldVersion(tables, id, wanted);
    if (object === undefined || isExpired(object)) throw notFound();
    return object;
  };

  const refuseExisting = (id: string): void => {
    const object = tables.objects.get(id);
    if (object === undefined || isExpired(object)) return;
    throw new ApiError(412, "A precondition for this request was not met.");
  };

  app.put<One>(path, async (request, reply) => {
    if (Number(header(request, "content-length") ?? 0) > largestObject) throw tooLarge();
    const container = permitted(request, mayWrite);
    const name = request.params["*"];
    if (Buffer.byteLength(name) > 1024) throw new ApiError(400, "Object name length longer than 1024");
    const isNew = demandsNew(request);
    if (isNew) refuseExisting(`${container.id}/${name}`);
    const source = header(request, "x-copy-from");
    const origin = source === undefined ? undefined : copySource(request, source);
    const content = origin === undefined ? bodyOf(request) : createReadStream(join(folder, origin.file));
    const file = randomUUID();
    const { size, md5 } = await storeContent(content, join(folder, file), largestObject).catch((error: unknown) => {
      if (error instanceof TooMuchContent) throw tooLarge();
      throw isErrno(error, "ENOSPC") ? unavailable() : error;
    });
    const wanted = header(request, "etag")?.replaceAll('"', "").toLowerCase();
    if (wanted !== undefined && wanted !== md5) {
      await rm(join(folder, file), { force: true });
      throw new ApiError(422, "Unable to process the contained instructions");
    }
    const write = () => {
      // looked up again: the upload took time
      if (tables.containers.get(container.id) === undefined) throw notFound();
      if (isNew) refuseExisting(`${container.id}/${name}`);
      const before = tables.objects.get(`${container.id}/${name}`);
      const kept = container.versioned === true && before !== undefined;
      if (kept) keepVersion(tables, before);
      tables.objects.put({
        id: `${container.id}/${name}`,
        containerId: container.id,
        name,
        etag: md5,
        size,
        contentType: header(request, "content-type") ?? origin?.contentType ?? "application/octet-stream",
        contentEncoding: header(request, "content-encoding") ?? origin?.contentEncoding ?? null,
        contentDisposition: header(request, "content-disposition") ?? origin?.contentDisposition ?? null,
        metadata: { ...origin?.metadata, ...metadataFrom(request.headers, "object") },
        timestamp: swiftNow(),
        file,
        deleteAt: deletionTime(request) ?? null,
        manifest: header(request, "x-object-manifest") ?? null,
        ...(container.versioned ? { versionId: newVersionId() } : {}),
      });
      return kept ? undefined : before;
    };
    let old: StoredObject | undefined;
    try {
      old = store.transaction(write);
    } catch (error) {
      await rm(join(folder, file), { force: true });
      throw error;
    }
    // a reader that has the old file open reads it to its end
    if (old !== undefined) await rm(join(folder, old.file), { force: true });
    return reply.code(201).header("etag", md5).header("last-modified", new Date(now()).toUTCString()).send();
  });

  app.post<One>(path, (request, reply) => {
    const container = permitted(request, mayWrite);
    store.transaction(() => {
      const object = existing(container, request);
      tables.objects.put({
        ...object,
        metadata: metadataFrom(request.headers, "object"),
        contentType: header(request, "content-type") ?? object.contentType,
        deleteAt: deletionTime(request) ?? null,
        timestamp: swiftNow(),
      });
    });
    return reply.code(202).send();
  });

  app.delete<One>(path, async (request, reply) => {
    const container = permitted(request, mayWrite);
    const version = request.query["version-id"];
    const id = `${container.id}/${request.params["*"]}`;
    if (version !== undefined && version !== tables.objects.get(id)?.versionId) {
      const { file } = deleteVersion(tables, id, version);
      if (file !== null) await rm(join(folder, file), { force: true });
      return reply.code(204).send();
    }
    const object = existing(container, request);
    tables.objects.delete(object.id);
    if (container.versioned && version === undefined) {
      keepVersion(tables, object);
      return reply.code(204).header("x-object-version-id", markDeleted(tables, object)).send();
    }
    await rm(join(folder, object.file), { force: true });
    return reply.code(204).send();
  });

  const answer = async (request: Request, reply: FastifyReply, withBody: boolean) => {
    const object = existing(permitted(request, mayRead), request);
    reply.headers(objectHeaders(object));
    if (object.manifest) {
      const { size, etag, read } = joined(tables, projectOfAccount(request.params.account), object.manifest, folder);
      reply.header("etag", `"${etag}"`).header("content-length", size);
      return reply.send(withBody && size > 0 ? read() : undefined);
    }
    if (matches(header(request, "if-none-match"), object.etag)) return reply.code(304).send();
    const range = withBody ? parseRange(header(request, "range"), object.size) : "all";
    if (range === "unsatisfiable") {
      return reply.code(416).header("content-range", `bytes */${object.size}`).send();
    }
    const { start, end } = range === "all" ? { start: 0, end: object.size - 1 } : range;
    if (range !== "all") reply.code(206).header("content-range", `bytes ${start}-${end}/${object.size}`);
    reply.header("content-length", end - start + 1);
    if (!withBody || object.size === 0) return reply.send();
    // opened before the answer begins: a replacement from now on does not touch what this reader gets
    const file = await open(join(folder, object.file));
    return reply.send(file.createReadStream({ start, end }));
  };
  app.get<One>(path, (request, reply) => answer(request, reply, true));
  app.head<One>(path, (request, reply) => answer(request, reply, false));

  function copySource(request: Request, source: string): StoredObject {
    const [container = "", ...rest] = decodeURIComponent(source).replace(/^\//, "").split("/");
    const projectId = projectOfAccount(request.params.account);
    const found = tables.containers.get(`${projectId}/${container}`);
    const who = caller(request);
    if (found === undefined || !mayRead(who, found)) throw notFound();
    const object = tables.objects.get(`${found.id}/${rest.join("/")}`);
    if (object === undefined) throw notFound();
    return object;
  }
}

/** `X-Delete-At`, or `X-Delete-After` from now on. @throws ApiError 400 for a time that has passed */
function deletionTime(request: Request): number | undefined {
  const [at, after] = [header(request, "x-delete-at"), header(request, "x-delete-after")];
  if (at === undefined && after === undefined) return undefined;
  const seconds = after === undefined ? Number(at) : Math.floor(now() / 1000) + Number(after);
  if (!Number.isInteger(seconds))
    throw new ApiError(400, `Non-integer X-Delete-${after === undefined ? "At" : "After"}`);
  if (seconds <= now() / 1000) throw new ApiError(400, "X-Delete-At in past");
  return seconds;
}

function bodyOf(request: Request): Readable {
  return request.body instanceof Readable ? request.body : Readable.from([]);
}

/** Whether a PUT is to make a new object; as in Swift, no other condition is understood. */
function demandsNew(request: FastifyRequest): boolean {
  const condition = header(request, "if-none-match");
  if (condition === undefined || condition.trim() === "*") return condition !== undefined;
  throw new ApiError(400, "If-None-Match only supports *");
}

/** `If-None-Match`: a list of quoted or bare ETags, or `*`. */
function matches(condition: string | undefined, etag: string): boolean {
  if (condition === undefined) return false;
  return condition.split(",").some((item) => ["*", etag].includes(item.trim().replace(/^W\//, "").replaceAll('"', "")));
}
