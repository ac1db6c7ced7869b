import { createReadStream, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { isErrno, messageOf } from "../../common/errors.ts";
import { ApiError } from "../http/api-error.ts";
import { isoSeconds } from "../http/time.ts";
import { sendUntyped } from "../http/untyped.ts";
import { isAdmin } from "../identity/scope.ts";
import { header } from "../identity/tokens.ts";
import { storeContent } from "../store/content.ts";
import { activated, importContent, importing, importStaged, settleInterrupted, stagedPath } from "./content.ts";
import type { ImageOptions } from "./context.ts";
import { passesFiltering } from "./download.ts";
import { glance } from "./faults.ts";
import { ownImage, visibleImage } from "./images.ts";
import { importMethods } from "./info.ts";
import { byteRange } from "./range.ts";
import type { Image } from "./records.ts";
import { finishRemovals } from "./removed-content.ts";
import { storeId } from "./view.ts";

interface One {
  Params: { id: string };
}

/** `/images/{id}/file`, `/stage` and `/import`: how contents come and go. */
export function contentRoutes(app: FastifyInstance, options: ImageOptions): void {
  const { store, table, folder, log } = options;
  const end = new AbortController();
  app.addHook("onClose", async () => end.abort());
  settleInterrupted(table, folder);
  void finishRemovals(folder).catch((error: unknown) => log(`what is left of images: ${messageOf(error)}`));

  /** Lets the image wait for content, and be as before where none comes. */
  const receive = async (request: FastifyRequest<One>, to: "saving" | "uploading", path: string) => {
    const id = request.params.id;
    if (header(request, "content-type")?.split(";", 1)[0]?.trim() !== "application/octet-stream") {
      throw glance.unsupported(header(request, "content-type") ?? "");
    }
    store.transaction(() => {
      const refused = to === "saving" ? { refused: `Not allowed to upload image data for image ${id}` } : {};
      const image = ownImage(table, request.scope, id, refused);
      demandStatus(image, to);
      if (to === "saving") demandFormats(image);
      table.patch(id, { status: to, updatedAt: isoSeconds() });
    });
    try {
      return await storeContent(request.body instanceof Readable ? request.body : Readable.from([]), path);
    } catch (error) {
      if (table.get(id)?.status === to) table.patch(id, { status: "queued" });
      if (isErrno(error, "ENOSPC"))
        throw new ApiError(
          413,
          "Image storage media is full: There is not enough disk space on the image storage media.",
        );
      throw error;
    }
  };

  const uploads = async (inner: FastifyInstance) => {
    inner.removeAllContentTypeParsers();
    inner.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
    inner.put<One>("/images/:id/file", async (request, reply) => {
      const { id } = request.params;
      const path = join(folder, id);
      const content = await receive(request, "saving", path);
      if (table.patch(id, activated(content, path)) === undefined) {
        await rm(path, { force: true });
        throw new ApiError(
          410,
          `Image ${id} could not be found after upload. The image may have been deleted during the upload, cleaning up the chunks uploaded.`,
        );
      }
      return sendUntyped(reply, 204);
    });
    inner.put<One>("/images/:id/stage", async (request, reply) => {
      const { id } = request.params;
      const path = stagedPath(join(folder, id));
      const { size } = await receive(request, "uploading", path);
      if (table.patch(id, { size, updatedAt: isoSeconds() }) === undefined) {
        await rm(path, { force: true });
        throw glance.notFound(`No image found with ID ${id}`);
      }
      return sendUntyped(reply, 204);
    });
  };
  app.register(uploads);

  app.post<One>("/images/:id/import", (request, reply) => {
    const method = methodOf(request.body, importMethods(options));
    const { uri = "" } = method;
    const id = store.transaction(() => {
      const image = visibleImage(table, request.scope, request.params.id);
      demandImportable(image, method.name);
      if (method.name === "copy-image") {
        if (!isAdmin(request.scope)) throw glance.notAuthorized("copy_image");
        throw glance.badRequest(`Image is already present at store '${storeId}'`);
      }
      ownImage(table, request.scope, image.id);
      if (method.name === "web-download" && !passesFiltering(uri)) {
        throw glance.badRequest(`URI for web-download does not pass filtering: ${uri}`);
      }
      table.patch(image.id, importing(image));
      return image.id;
    });
    const path = join(folder, id);
    if (method.name === "glance-direct") void importStaged(table, { id, path, log });
    else void importContent(table, { id, uri, path, closed: end.signal, log });
    return sendUntyped(reply, 202);
  });

  app.get<One>("/images/:id/file", (request, reply) => {
    const image = visibleImage(table, request.scope, request.params.id);
    if (image.status === "deactivated" && !isAdmin(request.scope)) {
      throw glance.forbidden("The requested image has been deactivated. Image data download is forbidden.");
    }
    if (image.path === null) return reply.code(204).send();
    if (!statSync(image.path).isFile()) {
      throw glance.forbidden("This image is the root tree of container guests and cannot be downloaded.");
    }
    const size = image.size ?? 0;
    const range = byteRange(header(request, "range"), size);
    reply.type("application/octet-stream");
    if (image.checksum !== null) reply.header("content-md5", image.checksum);
    if (range === undefined) return reply.header("content-length", size).send(createReadStream(image.path));
    return reply
      .code(206)
      .header("content-range", `bytes ${range.start}-${range.end}/${size}`)
      .header("content-length", range.end - range.start + 1)
      .send(createReadStream(image.path, range));
  });
}

/** @throws ApiError 409 */
function demandStatus(image: Image, next: string): void {
  if (image.status === "queued") return;
  throw glance.conflict(`Image status transition from ${image.status} to ${next} is not allowed`);
}

/** @throws ApiError 400 for an image whose form is not known yet */
function demandFormats({ diskFormat, containerFormat }: Image): void {
  const missing = [diskFormat === null ? "disk_format" : "", containerFormat === null ? "container_format" : ""];
  const names = missing.filter((name) => name !== "");
  if (names.length > 0) throw glance.badRequest(`Properties ${names.join(", ")} must be set prior to saving data.`);
}

/** @throws ApiError 400 */
function methodOf(body: unknown, enabled: string[]): { name: string; uri?: string } {
  if (body === undefined || body === null) throw glance.badRequest("Body expected in request.");
  const { method } = body as { method?: Record<string, unknown> };
  if (method === undefined) throw glance.badRequest("Import request requires a 'method' field.");
  if (method?.name === undefined) throw glance.badRequest("Import request requires a 'name' field.");
  const name = String(method.name);
  if (!enabled.includes(name)) throw glance.badRequest(`Unknown import method name '${name}'.`);
  return { name, ...(method.uri === undefined ? {} : { uri: String(method.uri) }) };
}

/** @throws ApiError 409 */
function demandImportable(image: Image, method: string): void {
  if (image.status === "active" && method !== "copy-image") {
    throw glance.conflict("Image with status active cannot be target for import");
  }
  if (image.status !== "active" && method === "copy-image") {
    throw glance.conflict("Only images with status active can be targeted for copying");
  }
  if (image.status !== "queued" && method === "web-download") {
    throw glance.conflict("Image needs to be in 'queued' state to use 'web-download' method");
  }
  if (image.status !== "uploading" && method === "glance-direct") {
    throw glance.conflict("Image needs to be staged before 'glance-direct' method can be used");
  }
  if (image.containerFormat === null) throw glance.conflict("'container_format' needs to be set before import");
  if (image.diskFormat === null) throw glance.conflict("'disk_format' needs to be set before import");
}
