import type { FastifyInstance, FastifyReply } from "fastify";
import { header } from "../identity/tokens.ts";
import { mayRead } from "./acl.ts";
import { holdsIfRange, sendUnmet, unmet } from "./conditions.ts";
import type { ObjectContext } from "./context.ts";
import { objectHeaders } from "./headers.ts";
import { md5 } from "./md5.ts";
import { multipart } from "./multipart.ts";
import { existingObject, type ObjectRequest, type OneObject, permittedContainer, placeOf } from "./object-access.ts";
import { type Piece, readPieces, SegmentError, type Whole } from "./pieces.ts";
import { parseRanges, type Span } from "./range.ts";
import type { StoredObject } from "./records.ts";
import { bareRefusal, notFound, refusal, statusPage } from "./refusals.ts";
import { manifestText, rawManifest } from "./static-large-object.ts";
import { dispositionOf, publicHeaders } from "./temporary-url.ts";
import { allPieces, wholeOf } from "./whole.ts";

/** `GET` and `HEAD` of an object: conditions, ranges, and large objects of either kind. */
export function readRoutes(app: FastifyInstance, context: ObjectContext, path: string): void {
  const { tables, folder, caller } = context;
  const answer = async (request: ObjectRequest, reply: FastifyReply, withBody: boolean) => {
    const who = caller(request);
    const place = placeOf(request);
    const container = permittedContainer(context, who, place, mayRead);
    const object = existingObject(context, container, place.name, request.query["version-id"]);
    const isBearer = who.kind === "bearer";
    reply.headers(isBearer ? publicHeaders(objectHeaders(object)) : objectHeaders(object));
    if (isBearer) reply.headers(dispositionOf(request.query, object));
    if (request.query["multipart-manifest"] === "get" && (object.segments ?? object.manifest)) {
      return manifest(object, reply, { withBody, isRaw: request.query.format === "raw" });
    }
    const whole = wholeOf({ tables, projectId: place.projectId, caller: who }, object);
    const { size, etag } = whole;
    if (object.manifest && size !== undefined) reply.header("etag", `"${etag}"`);
    const failed = unmet(request, object, etag);
    if (failed !== undefined) return sendUnmet(reply, failed);
    const isRanged = withBody && size !== undefined && holdsIfRange(request, object, etag);
    const spans = isRanged ? parseRanges(header(request, "range"), size) : "all";
    if (spans === "unsatisfiable") {
      return reply.code(416).header("content-range", `bytes */${size}`).send(statusPage(416));
    }
    const part: Part =
      typeof spans === "string" ? { length: size, pieces: allPieces(whole) } : partOf(spans, whole, object);
    reply.headers(part.headers ?? {}).code(part.headers === undefined ? 200 : 206);
    if (part.length !== undefined) reply.header("content-length", part.length);
    if (!withBody || part.length === 0) return reply.send();
    return reply.send(await readPieces(part.pieces, folder, part.length).catch(explain(object)));
  };
  /** What the object itself is, and not what it stands for. */
  const manifest = async (
    object: StoredObject,
    reply: FastifyReply,
    { withBody, isRaw }: { withBody: boolean; isRaw: boolean },
  ) => {
    if (object.segments === undefined) {
      reply.header("content-length", object.size);
      if (!withBody || object.size === 0) return reply.send();
      const own = [{ from: { file: object.file }, start: 0, size: object.size }];
      return reply.send(await readPieces(own, folder, object.size).catch(explain(object)));
    }
    const text = manifestText(isRaw ? rawManifest(object.segments) : object.segments);
    if (isRaw) reply.header("etag", md5(text));
    else reply.type("application/json; charset=utf-8").header("etag", object.etag);
    reply.removeHeader("x-manifest-etag").header("content-length", Buffer.byteLength(text));
    return reply.send(withBody ? text : undefined);
  };
  app.get<OneObject>(path, (request, reply) => answer(request, reply, true));
  app.head<OneObject>(path, (request, reply) => answer(request, reply, false));
}

/** What is answered, and read, of a content of which the client wants a part or several. */
function partOf(spans: Span[], whole: Whole, { contentType }: StoredObject): Part {
  const size = whole.size ?? 0;
  const [{ start, end } = { start: 0, end: 0 }, other] = spans;
  if (other !== undefined) {
    const { type, ...part } = multipart(spans, whole, contentType, size);
    return { ...part, headers: { "content-type": type } };
  }
  const headers = { "content-range": `bytes ${start}-${end}/${size}` };
  return { headers, length: end - start + 1, pieces: whole.pieces(start, end) };
}

interface Part {
  /** Absent for the whole. */
  headers?: Record<string, string>;
  /** Bytes; undefined where they are not counted. */
  length: number | undefined;
  pieces: Iterable<Piece>;
}

/** What the client is told of a content that is not there as it was, before anything of it was sent. */
export function explain({ segments, manifest }: StoredObject): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof SegmentError)) throw error;
    throw segments === undefined && !manifest ? notFound() : refusal(409);
  };
}

/** Refused, as Swift refuses it, on everything but a manifest's own PUT. */
export function demandNoReservedHeader(request: ObjectRequest): void {
  if (request.headers["x-static-large-object"] === undefined) return;
  throw bareRefusal(
    400,
    "X-Static-Large-Object is a reserved header. To create a static large object add query param multipart-manifest=put.",
  );
}
