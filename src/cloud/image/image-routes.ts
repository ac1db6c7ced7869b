import type { FastifyInstance } from "fastify";
import { isoSeconds } from "../http/time.ts";
import { sendUntyped } from "../http/untyped.ts";
import { header } from "../identity/tokens.ts";
import type { ImageOptions } from "./context.ts";
import { glance } from "./faults.ts";
import { createImage, ownImage, visibleImage } from "./images.ts";
import { importMethods } from "./info.ts";
import { type ImageQuery, listImages } from "./list.ts";
import { changeImage, parsePatch, patchTypes } from "./patch.ts";
import type { Image } from "./records.ts";
import { removeImage } from "./removal.ts";
import { demandImageFields } from "./schema.ts";
import { imageView, storeId } from "./view.ts";

interface One {
  Params: { id: string };
}
interface OneTag {
  Params: { id: string; tag: string };
}

/** `/images`: list, create, show, change, delete; tags; deactivation. */
export function imageRoutes(app: FastifyInstance, options: ImageOptions): void {
  const { store, table, base } = options;
  app.get<{ Querystring: Record<string, string | string[]> }>("/images", ({ scope, query }) => {
    const { images, next } = listImages(table, scope, query as ImageQuery);
    const address = (marker?: string) => {
      const search = new URLSearchParams();
      for (const [key, value] of Object.entries(query)) for (const text of [value].flat()) search.append(key, text);
      search.delete("marker");
      if (marker !== undefined) search.set("marker", marker);
      return `/v2/images${search.size === 0 ? "" : `?${search}`}`;
    };
    return {
      images,
      first: address(),
      schema: "/v2/schemas/images",
      ...(next === undefined ? {} : { next: address(next) }),
    };
  });
  app.post("/images", ({ scope, body }, reply) => {
    const image = store.transaction(() => createImage(table, scope, body));
    return reply
      .code(201)
      .header("location", `${base()}/image/v2/images/${image.id}`)
      .header("openstack-image-import-methods", importMethods(options).join(","))
      .header("openstack-image-store-ids", storeId)
      .send(imageView(image));
  });
  app.get<One>("/images/:id", ({ scope, params }) => imageView(visibleImage(table, scope, params.id)));

  app.patch<One>("/images/:id", (request, reply) => {
    const type = header(request, "content-type")?.split(";", 1)[0]?.trim() ?? "";
    const draft = patchTypes[type];
    if (draft === undefined) {
      reply.header("accept-patch", Object.keys(patchTypes).join(", "));
      throw glance.unsupported(type);
    }
    const changes = parsePatch(request.body, draft);
    const { scope, params } = request;
    return imageView(store.transaction(() => changeImage(table, scope, params.id, changes, draft)));
  });

  app.delete<One>("/images/:id", async ({ scope, params }, reply) => {
    await removeImage(options, scope, params.id)();
    return sendUntyped(reply, 204);
  });

  const tagged =
    (verb: string, change: (image: Image, tag: string) => string[]) =>
    ({ scope, params: { id, tag } }: { scope: Parameters<typeof ownImage>[1]; params: OneTag["Params"] }) =>
      store.transaction(() => {
        const words = {
          missing: `Image ${id} not found.`,
          refused: `Not allowed to ${verb} tags for image ${id}.`,
        };
        const image = ownImage(table, scope, id, words);
        table.put({ ...image, tags: change(image, tag), updatedAt: isoSeconds() });
      });
  const addTag = tagged("update", ({ tags }, tag) => {
    demandImageFields({ tags: [tag] });
    return [...new Set([...tags, tag])];
  });
  const removeTag = tagged("delete", ({ tags }, tag) => {
    if (!tags.includes(tag)) throw glance.notFound();
    return tags.filter((one) => one !== tag);
  });
  app.put<OneTag>("/images/:id/tags/:tag", (request, reply) => {
    addTag(request);
    return sendUntyped(reply, 204);
  });
  app.delete<OneTag>("/images/:id/tags/:tag", (request, reply) => {
    removeTag(request);
    return sendUntyped(reply, 204);
  });

  const turns = { deactivate: ["active", "deactivated"], reactivate: ["deactivated", "active"] } as const;
  for (const [name, [from, to]] of Object.entries(turns)) {
    app.post<One>(`/images/:id/actions/${name}`, ({ scope, params }, reply) => {
      store.transaction(() => {
        const image = ownImage(table, scope, params.id);
        if (image.status !== from && image.status !== to) {
          throw glance.forbidden(`Not allowed to ${name} image in status '${image.status}'`);
        }
        if (image.status === from) table.put({ ...image, status: to, updatedAt: isoSeconds() });
      });
      return sendUntyped(reply, 204);
    });
  }
}
