import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply } from "fastify";
import { isErrno } from "../../common/errors.ts";
import { now } from "../clock/clock.ts";
import { header } from "../identity/tokens.ts";
import { storeContent, TooMuchContent } from "../store/content.ts";
import { mayWrite } from "./acl.ts";
import type { Caller } from "./caller.ts";
import { demandsNew, sendUnmet } from "./conditions.ts";
import type { ObjectContext } from "./context.ts";
import { demandManifestForm } from "./dynamic-large-object.ts";
import { copyHeaders, isTrue, metadataFrom, objectHeaders } from "./headers.ts";
import { largestObject } from "./limits.ts";
import { demandSmallMetadata } from "./metadata-limits.ts";
import {
  existingObject,
  type ObjectRequest,
  type OneObject,
  type Place,
  permittedContainer,
  placeOf,
} from "./object-access.ts";
import { copiedFrom, copySource, copyTarget, openSource } from "./object-copy.ts";
import { deleteRoutes } from "./object-delete.ts";
import { demandObjectQuota } from "./object-quotas.ts";
import { demandNoReservedHeader, readRoutes } from "./object-read.ts";
import { SegmentError } from "./pieces.ts";
import { isExpired, type ObjectTables, type StoredObject, swiftNow } from "./records.ts";
import { bareRefusal, notFound, plainRefusal, refusal, sendAccepted } from "./refusals.ts";
import { checkManifest, type Manifest, manifestLimits, manifestText } from "./static-large-object.ts";
import { demandNoPointer } from "./temporary-url.ts";
import { bodyOf, limitedText } from "./upload.ts";
import { demandVersionId, keepVersion, makeCurrent, newVersionId, nullVersion } from "./versions.ts";

const tooLarge = () => plainRefusal(413, "Your request is too large.");

/** `/v1/AUTH_<project>/<container>/<object>` */
export function objectRoutes(app: FastifyInstance, context: ObjectContext): void {
  const { store, tables, folder, caller } = context;
  const path = "/v1/:account/:container/*";

  app.put<OneObject>(path, async (request, reply) => {
    const version = request.query["version-id"];
    const source = copySource(request);
    if (version && source === undefined) return restore(request, reply, version);
    return write(request, reply, { who: caller(request), place: placeOf(request), source });
  });

  app.route<OneObject>({
    method: "COPY",
    url: path,
    handler: (request, reply) => {
      const who = caller(request);
      return write(request, reply, { who, place: copyTarget(request), source: placeOf(request) });
    },
  });

  const write = async (
    request: ObjectRequest,
    reply: FastifyReply,
    { who, place, source }: { who: Caller; place: Place; source: Place | undefined },
  ) => {
    if (Number(header(request, "content-length") ?? 0) > largestObject) throw tooLarge();
    const container = permittedContainer(context, who, place, mayWrite);
    demandUpload(request, who, place, source !== undefined);
    const id = `${container.id}/${place.name}`;
    const isNew = source === undefined && demandsNew(request);
    if (isNew) refuseExisting(tables, id);
    const brought = await contentOf(context, request, { who, place, source });
    if ("unmet" in brought) return sendUnmet(reply, brought.unmet, objectHeaders(brought.origin));
    const { content, bytes, origin, manifest } = brought;
    demandObjectQuota(tables, container, bytes);
    const file = randomUUID();
    const { size, md5 } = await storeContent(content, join(folder, file), largestObject).catch((error: unknown) => {
      if (error instanceof TooMuchContent) throw refusal(413);
      // what is copied has gone meanwhile
      if (error instanceof SegmentError) throw refusal(409);
      throw isErrno(error, "ENOSPC") ? refusal(503) : error;
    });
    const wanted = header(request, "etag")?.replaceAll('"', "").toLowerCase();
    const commit = () => {
      if (wanted !== undefined && wanted !== (manifest?.etag ?? md5)) {
        reply.header("last-modified", new Date(now()).toUTCString());
        throw refusal(422);
      }
      // looked up again: the upload took time
      const current = tables.containers.get(container.id);
      if (current === undefined) throw notFound();
      if (isNew) refuseExisting(tables, id);
      demandObjectQuota(tables, current, 0);
      const before = tables.objects.get(id);
      // what is a version already stays one, also while the container keeps no new ones
      const kept = before !== undefined && (current.versioned === true || before.versionId !== undefined);
      if (kept) keepVersion(tables, before);
      const object = tables.objects.put({
        ...described(request, origin),
        ...{ id, containerId: container.id, name: place.name, etag: md5, size, file },
        ...(current.versioned === true ? { versionId: newVersionId() } : {}),
        ...(manifest === undefined
          ? {}
          : { segments: manifest.segments, slo: { size: manifest.size, etag: manifest.etag } }),
      });
      return { object, old: kept ? undefined : before };
    };
    let done: ReturnType<typeof commit>;
    try {
      done = store.transaction(commit);
    } catch (error) {
      await rm(join(folder, file), { force: true });
      throw error;
    }
    context.expirer.expect(done.object.deleteAt);
    // a reader that has the old file open reads it to its end
    if (done.old !== undefined) await rm(join(folder, done.old.file), { force: true });
    if (origin !== undefined) reply.headers({ ...copiedFrom(origin), ...copyHeaders(done.object) });
    const { versionId } = done.object;
    if (versionId !== undefined) reply.header("x-object-version-id", versionId);
    return reply
      .code(201)
      .header("etag", manifest === undefined ? md5 : `"${manifest.etag}"`)
      .header("last-modified", new Date(now()).toUTCString())
      .send();
  };

  /** `PUT ?version-id=`: what the object was is what it is again. */
  const restore = async (request: ObjectRequest, reply: FastifyReply, version: string) => {
    const container = permittedContainer(context, caller(request), placeOf(request), mayWrite);
    demandVersionId(container, version);
    if (version === nullVersion) throw bareRefusal(400, "Invalid version parameter");
    if (header(request, "content-length") !== "0") {
      throw plainRefusal(400, "PUT version-id requests require a zero byte body");
    }
    const { object, lost } = store.transaction(() =>
      makeCurrent(tables, `${container.id}/${request.params["*"]}`, version),
    );
    if (lost !== undefined) await rm(join(folder, lost), { force: true });
    return reply.code(201).headers({ etag: object.etag, "x-object-version-id": version }).send();
  };

  app.post<OneObject>(path, (request, reply) => {
    const who = caller(request);
    const container = permittedContainer(context, who, placeOf(request), mayWrite);
    if (request.query["version-id"]) throw bareRefusal(400, "POST to a specific version is not allowed");
    demandNoPointer(request, who);
    demandNoReservedHeader(request);
    demandSmallMetadata(request.headers, "object");
    const { deleteAt } = store.transaction(() => {
      const object = existingObject(context, container, request.params["*"]);
      return tables.objects.put({ ...object, ...described(request, undefined, object.contentType) });
    });
    context.expirer.expect(deleteAt);
    return sendAccepted(reply);
  });

  deleteRoutes(app, context, path);
  readRoutes(app, context, path);
}

function refuseExisting(tables: ObjectTables, id: string): void {
  const object = tables.objects.get(id);
  if (object !== undefined && !isExpired(object)) throw refusal(412);
}

/** @throws ApiError 400, 411 for a PUT that no object can come of */
function demandUpload(request: ObjectRequest, who: Caller, { name }: Place, isCopy: boolean): void {
  demandNoPointer(request, who);
  demandManifestForm(header(request, "x-object-manifest"));
  if (request.query["multipart-manifest"] !== "put") demandNoReservedHeader(request);
  const hasLength =
    header(request, "content-length") !== undefined || header(request, "transfer-encoding") !== undefined;
  if (!isCopy && !hasLength) throw plainRefusal(411, "Missing Content-Length header.");
  const length = Buffer.byteLength(name);
  if (length > 1024) throw plainRefusal(400, `Object name length of ${length} longer than 1024`);
  demandSmallMetadata(request.headers, "object");
  deletionTime(request);
}

/** What a PUT brings. */
interface Brought {
  content: Readable;
  /** As far as they are known before they came. */
  bytes: number;
  /** What it is a copy of. */
  origin?: StoredObject;
  manifest?: Manifest;
}

/** A body, the content of another object, or a manifest; or what is said of another object whose content is wanted on a condition that does not hold. */
async function contentOf(
  context: ObjectContext,
  request: ObjectRequest,
  { who, place, source }: { who: Caller; place: Place; source: Place | undefined },
): Promise<Brought | { unmet: 304 | 412; origin: StoredObject }> {
  const putsManifest = request.query["multipart-manifest"] === "put";
  if (putsManifest && source !== undefined) {
    throw bareRefusal(405, "Multipart Manifest PUTs cannot be COPY requests");
  }
  const checked = (text: string) => {
    const reading = { tables: context.tables, projectId: place.projectId, caller: who };
    const manifest = checkManifest(reading, place, text);
    const content = Buffer.from(manifestText(manifest.segments));
    return { content: Readable.from([content]), bytes: content.length, manifest };
  };
  if (putsManifest) return checked(await sentManifest(request));
  if (source === undefined) {
    return { content: bodyOf(request), bytes: Number(header(request, "content-length") ?? 0) };
  }
  const { object: origin, content } = await openSource(context, request, who, source);
  if ("unmet" in content) return { unmet: content.unmet, origin };
  if ("manifest" in content) return { ...checked(content.manifest), origin };
  const isManifest = request.query["multipart-manifest"] === "get";
  return { content: content.stream, bytes: content.size, origin: isManifest ? origin : { ...origin, manifest: null } };
}

/** @throws ApiError 413 */
async function sentManifest(request: ObjectRequest): Promise<string> {
  const tooLong = () => bareRefusal(413, `Manifest File > ${manifestLimits.bytes} bytes`);
  if (Number(header(request, "content-length") ?? 0) > manifestLimits.bytes) throw tooLong();
  const text = await limitedText(request, manifestLimits.bytes);
  if (text === undefined) throw tooLong();
  return text;
}

/** What a PUT or POST says of an object besides its content; a copy takes the rest over, unless it is to have fresh metadata. */
function described(request: ObjectRequest, origin: StoredObject | undefined, type = origin?.contentType) {
  const isFresh = isTrue(header(request, "x-fresh-metadata"));
  const inherited = isFresh ? undefined : origin;
  return {
    contentType: header(request, "content-type") ?? type ?? "application/octet-stream",
    contentEncoding: header(request, "content-encoding") ?? inherited?.contentEncoding ?? null,
    contentDisposition: header(request, "content-disposition") ?? inherited?.contentDisposition ?? null,
    metadata: { ...inherited?.metadata, ...metadataFrom(request.headers, "object") },
    timestamp: swiftNow(),
    deleteAt: deletionTime(request) ?? inherited?.deleteAt ?? null,
    manifest: header(request, "x-object-manifest") ?? origin?.manifest ?? null,
  };
}

/** Swift's times have ten digits; what would end later ends then. */
const latestEnd = 9_999_999_999;

/** `X-Delete-At`, or `X-Delete-After` from now on. @throws ApiError 400 for a time that has passed */
function deletionTime(request: ObjectRequest): number | undefined {
  const [at, after] = [header(request, "x-delete-at"), header(request, "x-delete-after")];
  const text = after ?? at;
  if (text === undefined) return undefined;
  const name = after === undefined ? "X-Delete-At" : "X-Delete-After";
  if (!/^\s*[+-]?\d{1,15}\s*$/.test(text)) throw plainRefusal(400, `Non-integer ${name}`);
  const seconds = Number(text) + (after === undefined ? 0 : Math.floor(now() / 1000));
  if (seconds <= now() / 1000) throw plainRefusal(400, `${name} in past`);
  return Math.min(seconds, latestEnd);
}
