import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { isErrno } from "../../common/errors.ts";
import { now } from "../clock/clock.ts";
import { ApiError } from "../http/api-error.ts";
import { header } from "../identity/tokens.ts";
import { storeContent, TooMuchContent } from "../store/content.ts";
import { mayRead, mayWrite } from "./acl.ts";
import { type ObjectContext, projectOfAccount } from "./context.ts";
import { metadataFrom } from "./headers.ts";
import { largestObject } from "./limits.ts";
import { existingObject, type ObjectRequest, type OneObject, permittedContainer, placeOf } from "./object-access.ts";
import { deleteRoutes } from "./object-delete.ts";
import { demandObjectQuota } from "./object-quotas.ts";
import { demandNoReservedHeader, readRoutes } from "./object-read.ts";
import { piecesOf, readPieces } from "./pieces.ts";
import { type Container, isExpired, type StoredObject, swiftNow } from "./records.ts";
import { notFound, plainRefusal } from "./refusals.ts";
import { checkManifest, type Manifest, manifestLimits } from "./static-large-object.ts";
import { demandNoPointer } from "./temporary-url.ts";
import { keepVersion, newVersionId } from "./versions.ts";

const tooLarge = () => new ApiError(413, "The body of your request was too large for this server.");
/** What Swift's proxy makes of disks that are full. */
const unavailable = () => new ApiError(503, "The server is currently unavailable. Please try again at a later time.");

/** `/v1/AUTH_<project>/<container>/<object>` */
export function objectRoutes(app: FastifyInstance, context: ObjectContext): void {
  const { store, tables, folder } = context;
  const path = "/v1/:account/:container/*";

  const refuseExisting = (id: string): void => {
    const object = tables.objects.get(id);
    if (object === undefined || isExpired(object)) return;
    throw new ApiError(412, "A precondition for this request was not met.");
  };

  app.put<OneObject>(path, async (request, reply) => {
    if (Number(header(request, "content-length") ?? 0) > largestObject) throw tooLarge();
    const who = context.caller(request);
    const container = permittedContainer(context, who, placeOf(request), mayWrite);
    demandNoPointer(request, who);
    const name = request.params["*"];
    const length = Buffer.byteLength(name);
    if (length > 1024) throw plainRefusal(400, `Object name length of ${length} longer than 1024`);
    const isNew = demandsNew(request);
    if (isNew) refuseExisting(`${container.id}/${name}`);
    const { content, origin, manifest } = await contentOf(context, request);
    demandObjectQuota(tables, container, origin?.size ?? Number(header(request, "content-length") ?? 0));
    const file = randomUUID();
    const { size, md5 } = await storeContent(content, join(folder, file), largestObject).catch((error: unknown) => {
      if (error instanceof TooMuchContent) throw tooLarge();
      throw isErrno(error, "ENOSPC") ? unavailable() : error;
    });
    const wanted = header(request, "etag")?.replaceAll('"', "").toLowerCase();
    if (wanted !== undefined && wanted !== (manifest?.etag ?? md5)) {
      await rm(join(folder, file), { force: true });
      throw new ApiError(422, "Unable to process the contained instructions");
    }
    const write = () => {
      // looked up again: the upload took time
      if (tables.containers.get(container.id) === undefined) throw notFound();
      if (isNew) refuseExisting(`${container.id}/${name}`);
      demandObjectQuota(tables, container, 0);
      const before = tables.objects.get(`${container.id}/${name}`);
      const kept = container.versioned === true && before !== undefined;
      if (kept) keepVersion(tables, before);
      tables.objects.put({
        ...described(request, container, origin?.object),
        ...{ name, etag: md5, size, file },
        ...(manifest === undefined
          ? {}
          : { segments: manifest.segments, slo: { size: manifest.size, etag: manifest.etag } }),
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
    if (origin !== undefined) reply.headers(copied(origin.object));
    return reply
      .code(201)
      .header("etag", manifest === undefined ? md5 : `"${manifest.etag}"`)
      .header("last-modified", new Date(now()).toUTCString())
      .send();
  });

  app.route<OneObject>({
    method: "COPY",
    url: path,
    handler: async (request, reply) => {
      const [, container, ...rest] = decodeURIComponent(header(request, "destination") ?? "")
        .replace(/^\/?/, "/")
        .split("/");
      if (!container || rest.join("/") === "") {
        throw new ApiError(412, "Destination header must be of the form <container name>/<object name>", "text");
      }
      const { account, container: from, "*": name } = request.params;
      const { host: _host, "content-length": _length, destination: _destination, ...headers } = request.headers;
      const target = [container, ...rest].map(encodeURIComponent).join("/");
      const answer = await app.inject({
        method: "PUT",
        url: `/object-store/v1/${encodeURIComponent(header(request, "destination-account") ?? account)}/${target}`,
        headers: { ...(headers as Record<string, string>), "x-copy-from": encodeURI(`/${from}/${name}`) },
      });
      return reply
        .code(answer.statusCode)
        .headers(answer.headers as Record<string, string>)
        .send(answer.rawPayload);
    },
  });

  app.post<OneObject>(path, (request, reply) => {
    const who = context.caller(request);
    const container = permittedContainer(context, who, placeOf(request), mayWrite);
    demandNoPointer(request, who);
    demandNoReservedHeader(request);
    store.transaction(() => {
      const object = existingObject(context, container, request);
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

  deleteRoutes(app, context, path);
  readRoutes(app, context, path);
}

/** What a PUT brings: a body, the content of another object, or a manifest. */
async function contentOf(
  context: ObjectContext,
  request: ObjectRequest,
): Promise<{ content: Readable; origin?: { object: StoredObject; size: number }; manifest?: Manifest }> {
  const source = header(request, "x-copy-from");
  const isManifest = request.query["multipart-manifest"] === "put";
  if (isManifest) {
    if (source !== undefined) {
      throw new ApiError(405, "Multipart Manifest PUTs cannot be COPY requests", "text");
    }
    const manifest = await manifestOf(context, request);
    return { content: Readable.from([Buffer.from(JSON.stringify(manifest.segments))]), manifest };
  }
  demandNoReservedHeader(request);
  if (source === undefined) return { content: bodyOf(request) };
  const { tables, folder, caller } = context;
  const object = copySource(context, request, source);
  const projectId = projectOfAccount(request.params.account);
  const isPermitted = (id: string) => {
    const container = tables.containers.get(id);
    return container !== undefined && mayRead(caller(request), container);
  };
  const pieces = piecesOf(tables, projectId, object, isPermitted);
  return { content: readPieces(pieces, folder), origin: { object, size: object.slo?.size ?? object.size } };
}

/** @throws ApiError 400, 411, 413 */
async function manifestOf({ tables }: ObjectContext, request: ObjectRequest): Promise<Manifest> {
  const length = header(request, "content-length");
  if (length === undefined && header(request, "transfer-encoding") === undefined) {
    throw new ApiError(411, "Missing Content-Length header.", "text");
  }
  const tooLong = () => new ApiError(413, `Manifest File > ${manifestLimits.bytes} bytes`, "text");
  if (Number(length ?? 0) > manifestLimits.bytes) throw tooLong();
  const body = await text(bodyOf(request));
  if (Buffer.byteLength(body) > manifestLimits.bytes) throw tooLong();
  const { account, container, "*": name } = request.params;
  const path = `/v1/${account}/${container}/${name}`;
  return checkManifest(tables, { projectId: projectOfAccount(account), path, text: body });
}

function copySource({ tables, caller }: ObjectContext, request: ObjectRequest, source: string): StoredObject {
  const [container = "", ...rest] = decodeURIComponent(source).replace(/^\//, "").split("/");
  const projectId = projectOfAccount(header(request, "x-copy-from-account") ?? request.params.account);
  const found = tables.containers.get(`${projectId}/${container}`);
  if (found === undefined || !mayRead(caller(request), found)) throw notFound();
  const object = tables.objects.get(`${found.id}/${rest.join("/")}`);
  if (object === undefined || isExpired(object)) throw notFound();
  return object;
}

/** What a PUT says of an object besides its content; a copy takes the rest over, unless it is to have fresh metadata. */
function described(
  request: ObjectRequest,
  container: Container,
  origin: StoredObject | undefined,
): Omit<StoredObject, "name" | "etag" | "size" | "file"> {
  const isFresh = /^(true|1|yes|on|t|y)$/i.test(header(request, "x-fresh-metadata") ?? "");
  const inherited = isFresh ? undefined : origin;
  return {
    id: `${container.id}/${request.params["*"]}`,
    containerId: container.id,
    contentType: header(request, "content-type") ?? origin?.contentType ?? "application/octet-stream",
    contentEncoding: header(request, "content-encoding") ?? inherited?.contentEncoding ?? null,
    contentDisposition: header(request, "content-disposition") ?? inherited?.contentDisposition ?? null,
    metadata: { ...inherited?.metadata, ...metadataFrom(request.headers, "object") },
    timestamp: swiftNow(),
    deleteAt: deletionTime(request) ?? null,
    manifest: header(request, "x-object-manifest") ?? null,
    ...(container.versioned ? { versionId: newVersionId() } : {}),
  };
}

/** What the answer to a copy tells of where it is from. */
function copied({ id, timestamp }: StoredObject): Record<string, string> {
  const [projectId = "", ...path] = id.split("/");
  return {
    "x-copied-from": path.map(encodeURIComponent).join("/"),
    "x-copied-from-account": `AUTH_${projectId}`,
    "x-copied-from-last-modified": new Date(Math.ceil(timestamp) * 1000).toUTCString(),
  };
}

/** `X-Delete-At`, or `X-Delete-After` from now on. @throws ApiError 400 for a time that has passed */
function deletionTime(request: ObjectRequest): number | undefined {
  const [at, after] = [header(request, "x-delete-at"), header(request, "x-delete-after")];
  if (at === undefined && after === undefined) return undefined;
  const seconds = after === undefined ? Number(at) : Math.floor(now() / 1000) + Number(after);
  if (!Number.isInteger(seconds))
    throw new ApiError(400, `Non-integer X-Delete-${after === undefined ? "At" : "After"}`);
  if (seconds <= now() / 1000) throw new ApiError(400, "X-Delete-At in past");
  return seconds;
}

function bodyOf(request: FastifyRequest): Readable {
  return request.body instanceof Readable ? request.body : Readable.from([]);
}

/** Whether a PUT is to make a new object; as in Swift, no other condition is understood. */
function demandsNew(request: FastifyRequest): boolean {
  const condition = header(request, "if-none-match");
  if (condition === undefined || condition.trim() === "*") return condition !== undefined;
  throw new ApiError(400, "If-None-Match only supports *");
}
