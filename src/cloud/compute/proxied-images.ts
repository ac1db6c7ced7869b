import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import type { Scope } from "../identity/scope.ts";
import { isVisible } from "../image/images.ts";
import { type ImageQuery, listImages } from "../image/list.ts";
import { changeImage, parsePatch } from "../image/patch.ts";
import type { Image } from "../image/records.ts";
import { removeImage } from "../image/removal.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { untilMicroversion } from "./microversion.ts";
import { firstOf, nextLinks, type Query } from "./paging.ts";
import { limitsOf } from "./quota-limits.ts";
import { metadata } from "./schema-types.ts";
import { serverLinks } from "./server-view.ts";
import { translated } from "./translated.ts";

interface One {
  Params: { id: string };
}
interface OneKey {
  Params: { id: string; key: string };
}
type Listed = { Querystring: Query };

/** Nova's names of Glance's filters. */
const filterNames = new Map([
  ...(["name", "status"] as const).map((name) => [name, name] as const),
  ...([
    ["server", "instance_uuid"],
    ["type", "image_type"],
  ] as const),
  ...([
    ["minRam", "min_ram"],
    ["minDisk", "min_disk"],
  ] as const),
]);

const statuses: Partial<Record<Image["status"], [status: string, progress: number]>> = {
  active: ["ACTIVE", 100],
  queued: ["SAVING", 25],
  saving: ["SAVING", 50],
};

/** Nova's own way to Glance: `/images`, gone since 2.36, and their `metadata`, gone since 2.39. */
export function proxiedImageRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { images, base } = context;
  const found = (scope: Scope, id: string): Image => {
    const image = images.get(id);
    if (image === undefined || !isVisible(scope, image)) throw nova.missing("Image not found.");
    return image;
  };
  const list = (request: FastifyRequest<Listed>, path: string, view: (image: Image) => unknown) => {
    untilMicroversion(request, 35);
    const { scope, query } = request;
    const { images: page } = listImages(images, scope, glanceQuery(query));
    const links = nextLinks(`${base()}/compute/v2.1/${path}`, query, page.length, String(page.at(-1)?.id));
    return {
      images: page.flatMap(({ id }) => images.get(String(id)) ?? []).map(view),
      ...(links === undefined ? {} : { images_links: links }),
    };
  };
  const short = ({ id, name }: Image) => ({ id, name, links: imageLinks(id, base()) });

  app.get<Listed>("/images", (request) => list(request, "images", short));
  app.get<Listed>("/images/detail", (request) => list(request, "images/detail", (image) => detail(image, base())));
  app.get<One>("/images/:id", (request) => {
    untilMicroversion(request, 35);
    return { image: detail(found(request.scope, request.params.id), base()) };
  });
  app.delete<One>("/images/:id", async (request, reply) => {
    untilMicroversion(request, 35);
    const { id } = request.params;
    const words = {
      403: () => new ApiError(403, "You are not allowed to delete the image."),
      404: () => nova.missing("Image not found."),
      409: (reason: string) => new ApiError(409, `Conflict deleting image. Reason: ${reason}.`),
    };
    const removeContent = translated(words, () => removeImage(context.glance, request.scope, id));
    await removeContent();
    return reply.code(204).send();
  });
  metadataOfImages(app, context, found);
}

/** Changes to an image's properties as a client of Glance sends them: only what is another one by then. */
function propertyPatch(before: Image["properties"], after: Image["properties"]): unknown[] {
  const path = (name: string) => `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  const given = Object.entries(after).filter(([name, value]) => !Object.hasOwn(before, name) || before[name] !== value);
  const removed = Object.keys(before).filter((name) => !Object.hasOwn(after, name));
  return [
    ...given.map(([name, value]) => ({ op: "add", path: path(name), value })),
    ...removed.map((name) => ({ op: "remove", path: path(name) })),
  ];
}

function metadataOfImages(
  app: FastifyInstance,
  { store, images, quotas }: ComputeContext,
  found: (scope: Scope, id: string) => Image,
): void {
  const path = "/images/:id/metadata";
  const change = (request: FastifyRequest<One>, decide: (properties: Image["properties"]) => Image["properties"]) => {
    const image = found(request.scope, request.params.id);
    const properties = decide(image.properties);
    const most = limitsOf(quotas, request.scope.project?.id ?? "").metadata_items;
    if (most >= 0 && Object.keys(properties).length > most) throw new ApiError(403, "Image metadata limit exceeded");
    const { id } = image;
    const words = {
      403: () => new ApiError(403, `Not authorized for image ${id}.`),
      400: (reason: string) =>
        nova.badRequest(`Request of image ${id} got BadRequest response: HTTP 400 Bad Request: ${reason}`),
    };
    const keep = () =>
      changeImage(images, request.scope, id, parsePatch(propertyPatch(image.properties, properties), 10), 10);
    return translated(words, () => store.transaction(keep)).properties;
  };
  app.get<One>(path, (request) => {
    untilMicroversion(request, 38);
    return { metadata: found(request.scope, request.params.id).properties };
  });
  app.post<One>(path, (request) => {
    untilMicroversion(request, 38);
    const asked = parseSchema(z.strictObject({ metadata }), request.body ?? null).metadata;
    return { metadata: change(request, (properties) => ({ ...properties, ...asked })) };
  });
  app.put<One>(path, (request) => {
    untilMicroversion(request, 38);
    const asked = parseSchema(z.strictObject({ metadata }), request.body ?? null).metadata;
    change(request, () => asked);
    return { metadata: asked };
  });
  app.get<OneKey>(`${path}/:key`, (request) => {
    untilMicroversion(request, 38);
    const { id, key } = request.params;
    const { properties } = found(request.scope, id);
    if (!Object.hasOwn(properties, key)) throw nova.missing("The resource could not be found.");
    return { meta: { [key]: properties[key] } };
  });
  app.put<OneKey>(`${path}/:key`, (request) => {
    untilMicroversion(request, 38);
    const { meta } = parseSchema(z.strictObject({ meta: metadata }), request.body ?? null);
    if (!Object.hasOwn(meta, request.params.key)) throw nova.badRequest("Request body and URI mismatch");
    change(request, (properties) => ({ ...properties, ...meta }));
    return { meta };
  });
  app.delete<OneKey>(`${path}/:key`, (request, reply) => {
    untilMicroversion(request, 38);
    change(request, (properties) => {
      if (!Object.hasOwn(properties, request.params.key)) throw nova.missing("Invalid metadata key");
      const { [request.params.key]: _removed, ...rest } = properties;
      return rest;
    });
    return reply.code(204).send();
  });
}

/** What of Nova's query Glance is asked for: other words are overlooked. */
function glanceQuery(query: Query): ImageQuery {
  const asked: ImageQuery = { limit: firstOf(query.limit) ?? "1000" };
  const marker = firstOf(query.marker);
  if (marker !== undefined) asked.marker = marker;
  for (const [name, given] of Object.entries(query)) {
    const filter = name.startsWith("property-") ? name.slice("property-".length) : filterNames.get(name as "name");
    const value = firstOf(given);
    if (filter === undefined || value === undefined) continue;
    asked[filter] = filter === "status" ? value.toLowerCase() : (value.split("/").at(-1) ?? value);
  }
  return asked;
}

const imageLinks = (id: string, base: string) => [
  { rel: "self", href: `${base}/compute/v2.1/images/${id}` },
  { rel: "bookmark", href: `${base}/compute/images/${id}` },
  { rel: "alternate", type: "application/vnd.openstack.image", href: `${base}/image/images/${id}` },
];

function detail(image: Image, base: string): Record<string, unknown> {
  const { id, name, minRam, minDisk, properties, createdAt: created, updatedAt: updated, size } = image;
  const [status, progress] = statuses[image.status] ?? ["UNKNOWN", 0];
  const { instance_uuid: server, auto_disk_config: automatic } = properties;
  return {
    ...{ id, name, minRam, minDisk, metadata: properties, created, updated, status, progress },
    ...{ "OS-EXT-IMG-SIZE:size": size ?? 0, links: imageLinks(id, base) },
    ...(server === undefined ? {} : { server: { id: server, links: serverLinks(server, base) } }),
    ...(automatic === undefined
      ? {}
      : { "OS-DCF:diskConfig": /^(1|t|true|on|y|yes)$/i.test(automatic) ? "AUTO" : "MANUAL" }),
  };
}
