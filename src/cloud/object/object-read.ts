import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { FastifyInstance, FastifyReply } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { header } from "../identity/tokens.ts";
import { mayRead } from "./acl.ts";
import { type ObjectContext, projectOfAccount } from "./context.ts";
import { objectHeaders } from "./headers.ts";
import { existingObject, type ObjectRequest, type OneObject, permittedContainer, placeOf } from "./object-access.ts";
import { cut, dynamicEtags, etagOf, piecesOf, readPieces, sizeOf } from "./pieces.ts";
import { parseRange } from "./range.ts";
import type { StoredObject } from "./records.ts";
import { dispositionOf, publicHeaders } from "./temporary-url.ts";

/** `GET` and `HEAD` of an object: conditions, ranges, and large objects of either kind. */
export function readRoutes(app: FastifyInstance, context: ObjectContext, path: string): void {
  const { tables, folder, caller } = context;
  const answer = async (request: ObjectRequest, reply: FastifyReply, withBody: boolean) => {
    const who = caller(request);
    const object = existingObject(context, permittedContainer(context, who, placeOf(request), mayRead), request);
    const isBearer = who.kind === "bearer";
    reply.headers(isBearer ? publicHeaders(objectHeaders(object)) : objectHeaders(object));
    if (isBearer) reply.headers(dispositionOf(request.query, object));
    if (request.query["multipart-manifest"] === "get" && (object.segments ?? object.manifest)) {
      return manifest(object, reply, withBody);
    }
    const projectId = projectOfAccount(request.params.account);
    const isPermitted = (containerId: string) => {
      const container = tables.containers.get(containerId);
      return container !== undefined && mayRead(who, container);
    };
    const pieces = piecesOf(tables, projectId, object, isPermitted);
    const size = sizeOf(pieces);
    const etag = object.manifest ? md5(dynamicEtags(tables, projectId, object.manifest)) : etagOf(object);
    if (object.manifest) reply.header("etag", `"${etag}"`);
    const failed = unmet(request, object, etag);
    if (failed !== undefined) return reply.code(failed).send();
    const range = withBody && holdsIfRange(request, object, etag) ? parseRange(header(request, "range"), size) : "all";
    if (range === "unsatisfiable") {
      return reply.code(416).header("content-range", `bytes */${size}`).send();
    }
    const { start, end } = range === "all" ? { start: 0, end: size - 1 } : range;
    if (range !== "all") reply.code(206).header("content-range", `bytes ${start}-${end}/${size}`);
    reply.header("content-length", end - start + 1);
    if (!withBody || size === 0) return reply.send();
    const [only, ...more] = cut(pieces, start, end);
    if (only === undefined || more.length > 0 || "data" in only.from) {
      return reply.send(readPieces(cut(pieces, start, end), folder));
    }
    // opened before the answer begins: a replacement from now on does not touch what this reader gets
    const file = await open(join(folder, only.from.file));
    return reply.send(file.createReadStream({ start: only.start, end: only.start + only.size - 1 }));
  };
  /** What the object itself is, and not what it stands for. */
  const manifest = async (object: StoredObject, reply: FastifyReply, withBody: boolean) => {
    if (object.segments === undefined) {
      reply.header("content-length", object.size);
      if (!withBody || object.size === 0) return reply.send();
      return reply.send((await open(join(folder, object.file))).createReadStream());
    }
    const text = JSON.stringify(object.segments);
    reply.type("application/json; charset=utf-8").header("etag", object.etag);
    reply.header("content-length", Buffer.byteLength(text));
    return reply.send(withBody ? text : undefined);
  };
  app.get<OneObject>(path, (request, reply) => answer(request, reply, true));
  app.head<OneObject>(path, (request, reply) => answer(request, reply, false));
}

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

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
  throw new ApiError(
    400,
    "X-Static-Large-Object is a reserved header. To create a static large object add query param multipart-manifest=put.",
    "text",
  );
}
