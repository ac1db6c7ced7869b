import type { FastifyInstance, FastifyReply } from "fastify";
import { header } from "../identity/tokens.ts";
import { mayRead } from "./acl.ts";
import type { ObjectContext } from "./context.ts";
import { objectHeaders } from "./headers.ts";
import { md5 } from "./md5.ts";
import { existingObject, type ObjectRequest, type OneObject, permittedContainer, placeOf } from "./object-access.ts";
import { readPieces, SegmentError } from "./pieces.ts";
import { parseRange } from "./range.ts";
import type { StoredObject } from "./records.ts";
import { bareRefusal, notFound, refusal } from "./refusals.ts";
import { rawManifest } from "./static-large-object.ts";
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
    if (failed !== undefined) return reply.code(failed).send();
    const isRanged = withBody && size !== undefined && holdsIfRange(request, object, etag);
    const range = isRanged ? parseRange(header(request, "range"), size) : "all";
    if (range === "unsatisfiable") {
      return reply.code(416).header("content-range", `bytes */${size}`).send();
    }
    if (range !== "all") reply.code(206).header("content-range", `bytes ${range.start}-${range.end}/${size}`);
    const length = range === "all" ? size : range.end - range.start + 1;
    if (length !== undefined) reply.header("content-length", length);
    if (!withBody || length === 0) return reply.send();
    const pieces = range === "all" ? allPieces(whole) : whole.pieces(range.start, range.end);
    return reply.send(await readPieces(pieces, folder, length).catch(explain(object)));
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
    const text = JSON.stringify(isRaw ? rawManifest(object.segments) : object.segments);
    if (isRaw) reply.header("etag", md5(text));
    else reply.type("application/json; charset=utf-8").header("etag", object.etag);
    reply.header("content-length", Buffer.byteLength(text));
    return reply.send(withBody ? text : undefined);
  };
  app.get<OneObject>(path, (request, reply) => answer(request, reply, true));
  app.head<OneObject>(path, (request, reply) => answer(request, reply, false));
}

/** What the client is told of a content that is not there as it was, before anything of it was sent. */
export function explain({ segments, manifest }: StoredObject): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof SegmentError)) throw error;
    throw segments === undefined && !manifest ? notFound() : refusal(409);
  };
}

/** The status of a condition that does not hold (RFC 9110 §13): 412, or 304 where the client has it already. */
function unmet(request: ObjectRequest, { timestamp }: StoredObject, etag: string): 304 | 412 | undefined {
  const [ifMatch, ifNoneMatch] = [header(request, "if-match"), header(request, "if-none-match")];
  const changedAt = Math.ceil(timestamp) * 1000;
  const [since, unmodified] = ["if-modified-since", "if-unmodified-since"].map((name) =>
    Date.parse(header(request, name) ?? ""),
  );
  if (ifMatch !== undefined && !matches(ifMatch, etag)) return 412;
  if (ifMatch === undefined && unmodified !== undefined && changedAt > unmodified) return 412;
  if (ifNoneMatch !== undefined) return matches(ifNoneMatch, etag) ? 304 : undefined;
  return since !== undefined && changedAt <= since ? 304 : undefined;
}

/** A range that is only wanted of what the client knows. */
function holdsIfRange(request: ObjectRequest, { timestamp }: StoredObject, etag: string): boolean {
  const condition = header(request, "if-range");
  if (condition === undefined) return true;
  const time = Date.parse(condition);
  return Number.isNaN(time) ? matches(condition, etag) : Math.ceil(timestamp) * 1000 <= time;
}

/** A list of quoted or bare ETags, or `*`. */
function matches(condition: string, etag: string): boolean {
  return condition.split(",").some((item) => ["*", etag].includes(item.trim().replace(/^W\//, "").replaceAll('"', "")));
}

/** Refused, as Swift refuses it, on everything but a manifest's own PUT. */
export function demandNoReservedHeader(request: ObjectRequest): void {
  if (request.headers["x-static-large-object"] === undefined) return;
  throw bareRefusal(
    400,
    "X-Static-Large-Object is a reserved header. To create a static large object add query param multipart-manifest=put.",
  );
}
