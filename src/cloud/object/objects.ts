import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { header } from "../identity/tokens.ts";
import { storeContent } from "../store/content.ts";
import { mayRead, mayWrite, ownsAccount } from "./acl.ts";
import { notFound, type ObjectContext, projectOfAccount, refuse } from "./context.ts";
import { metadataFrom, objectHeaders } from "./headers.ts";
import { parseRange } from "./range.ts";
import { type Container, type StoredObject, swiftNow } from "./records.ts";

interface One {
  Params: { account: string; container: string; "*": string };
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
    if (container === undefined) throw ownsAccount(who, projectId) ? notFound() : refuse(who);
    if (!may(who, container)) throw refuse(who);
    return container;
  };
  const existing = (container: Container, request: Request): StoredObject => {
    const object = tables.objects.get(`${container.id}/${request.params["*"]}`);
    if (object === undefined) throw notFound();
    return object;
  };

  app.put<One>(path, async (request, reply) => {
    const container = permitted(request, mayWrite);
    const name = request.params["*"];
    if (Buffer.byteLength(name) > 1024) throw new ApiError(400, "Object name length longer than 1024");
    const source = header(request, "x-copy-from");
    const origin = source === undefined ? undefined : copySource(request, source);
    const content = origin === undefined ? bodyOf(request) : createReadStream(join(folder, origin.file));
    const file = randomUUID();
    const { size, md5 } = await storeContent(content, join(folder, file));
    const wanted = header(request, "etag")?.replaceAll('"', "").toLowerCase();
    if (wanted !== undefined && wanted !== md5) {
      await rm(join(folder, file), { force: true });
      throw new ApiError(422, "Unable to process the contained instructions");
    }
    const old = store.transaction(() => {
      // looked up again: the upload took time
      if (tables.containers.get(container.id) === undefined) throw notFound();
      const before = tables.objects.get(`${container.id}/${name}`);
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
      });
      return before;
    });
    // a reader that has the old file open reads it to its end
    if (old !== undefined) await rm(join(folder, old.file), { force: true });
    return reply.code(201).header("etag", md5).header("last-modified", new Date().toUTCString()).send();
  });

  app.post<One>(path, (request, reply) => {
    const container = permitted(request, mayWrite);
    store.transaction(() => {
      const object = existing(container, request);
      tables.objects.put({
        ...object,
        metadata: metadataFrom(request.headers, "object"),
        contentType: header(request, "content-type") ?? object.contentType,
        timestamp: swiftNow(),
      });
    });
    return reply.code(202).send();
  });

  app.delete<One>(path, async (request, reply) => {
    const container = permitted(request, mayWrite);
    const object = existing(container, request);
    tables.objects.delete(object.id);
    await rm(join(folder, object.file), { force: true });
    return reply.code(204).send();
  });

  const answer = async (request: Request, reply: FastifyReply, withBody: boolean) => {
    const object = existing(permitted(request, mayRead), request);
    reply.headers(objectHeaders(object));
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

function bodyOf(request: Request): NodeJS.ReadableStream {
  return request.body instanceof Readable ? request.body : Readable.from([]);
}

/** `If-None-Match`: a list of quoted or bare ETags, or `*`. */
function matches(condition: string | undefined, etag: string): boolean {
  if (condition === undefined) return false;
  return condition.split(",").some((item) => ["*", etag].includes(item.trim().replace(/^W\//, "").replaceAll('"', "")));
}
