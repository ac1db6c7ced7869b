import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseBody } from "../http/body.ts";
import { isoSeconds } from "../http/time.ts";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { Collection } from "../store/store.ts";
import type { Image } from "./records.ts";
import { imageView } from "./view.ts";

const fixed = {
  name: z.string().max(255).nullable().optional(),
  visibility: z.enum(["public", "private", "community", "shared"]).optional(),
  container_format: z.string().nullable().optional(),
  disk_format: z.string().nullable().optional(),
  min_disk: z.number().int().min(0).optional(),
  min_ram: z.number().int().min(0).optional(),
  protected: z.boolean().optional(),
  os_hidden: z.boolean().optional(),
  tags: z.array(z.string().max(255)).optional(),
};
const createBody = z.object({ ...fixed, id: z.uuid().optional() }).catchall(z.string());

/** An image without name, form and content, of a project. */
export function newImage(ownerId: string, id: string = randomUUID()): Image {
  const now = isoSeconds();
  return {
    id,
    name: "",
    ownerId,
    status: "queued",
    visibility: "shared",
    containerFormat: null,
    diskFormat: null,
    minDisk: 0,
    minRam: 0,
    protected: false,
    hidden: false,
    tags: [],
    size: null,
    checksum: null,
    hashAlgorithm: null,
    hashValue: null,
    properties: {},
    createdAt: now,
    updatedAt: now,
    path: null,
    ownsContent: false,
  };
}

/** Glance's 404, the same for an image that is another tenant's. */
function imageNotFound(id: string): ApiError {
  return new ApiError(404, `No image found with ID ${id}`);
}

export function createImage(table: Collection<Image>, scope: Scope, input: unknown): Image {
  const body = parseBody(createBody, input);
  const { id, name, visibility, container_format, disk_format, min_disk, min_ram, os_hidden, tags, ...rest } = body;
  const { protected: isProtected, ...properties } = rest;
  if (visibility === "public" && !isAdmin(scope))
    throw new ApiError(403, "You are not authorized to complete publicize_image action.");
  if (id !== undefined && table.get(id) !== undefined) throw new ApiError(409, `Image ID ${id} already exists!`);
  const now = isoSeconds();
  return table.put({
    id: id ?? randomUUID(),
    name: name ?? "",
    ownerId: projectOf(scope).id,
    status: "queued",
    visibility: visibility ?? "shared",
    containerFormat: container_format ?? null,
    diskFormat: disk_format ?? null,
    minDisk: min_disk ?? 0,
    minRam: min_ram ?? 0,
    protected: isProtected ?? false,
    hidden: os_hidden ?? false,
    tags: [...new Set(tags ?? [])],
    size: null,
    checksum: null,
    hashAlgorithm: null,
    hashValue: null,
    properties: properties as Record<string, string>,
    createdAt: now,
    updatedAt: now,
    path: null,
    ownsContent: false,
  });
}

const patchBody = z.array(
  z.object({
    op: z.enum(["add", "replace", "remove"]),
    path: z.string().startsWith("/"),
    value: z.unknown().optional(),
  }),
);
const patchable: Record<string, keyof Image> = {
  name: "name",
  visibility: "visibility",
  min_disk: "minDisk",
  min_ram: "minRam",
  protected: "protected",
  os_hidden: "hidden",
  tags: "tags",
  container_format: "containerFormat",
  disk_format: "diskFormat",
};
const readOnly = new Set([
  "id",
  "status",
  "owner",
  "size",
  "checksum",
  "created_at",
  "updated_at",
  "self",
  "file",
  "schema",
  "os_hash_algo",
  "os_hash_value",
  "virtual_size",
]);

/** `PATCH /v2/images/{id}`: JSON patch with single-level paths. */
export function patchImage(table: Collection<Image>, scope: Scope, image: Image, input: unknown): Image {
  let changed: Image = { ...image, properties: { ...image.properties } };
  for (const { op, path, value } of parseBody(patchBody, input)) {
    const key = path.slice(1).replaceAll("~1", "/").replaceAll("~0", "~");
    if (readOnly.has(key)) throw new ApiError(403, `Attribute '${key}' is read-only.`);
    const field = Object.hasOwn(patchable, key) ? patchable[key] : undefined;
    if (field !== undefined) {
      if (op === "remove") throw new ApiError(403, `Property ${key} cannot be removed.`);
      const checked = parseBody(z.object(fixed), { [key]: value }) as Record<string, unknown>;
      changed = { ...changed, [field]: checked[key] };
    } else if (op === "remove") {
      if (!(key in changed.properties)) throw new ApiError(409, `Property ${key} does not exist.`);
      delete changed.properties[key];
    } else {
      changed.properties[key] = parseBody(z.string(), value);
    }
  }
  if (changed.visibility === "public" && image.visibility !== "public" && !isAdmin(scope)) {
    throw new ApiError(403, "You are not authorized to complete publicize_image action.");
  }
  return table.put({ ...changed, updatedAt: isoSeconds() });
}

/** The image if the scope may see it. */
export function visibleImage(table: Collection<Image>, scope: Scope, id: string): Image {
  const image = table.get(id);
  if (image === undefined || !isVisible(scope, image)) throw imageNotFound(id);
  return image;
}

export function isVisible(scope: Scope, image: Image): boolean {
  return image.visibility === "public" || image.visibility === "community" || owns(scope, image.ownerId);
}

/** The image if the scope may change it. */
export function ownImage(table: Collection<Image>, scope: Scope, id: string): Image {
  const image = visibleImage(table, scope, id);
  if (!owns(scope, image.ownerId)) throw new ApiError(403, "You are not authorized to complete this action.");
  return image;
}

/** Deletes an image and what the cloud itself stored of it. A protected one stays. */
export function deleteImage(table: Collection<Image>, image: Image): void {
  if (image.protected) throw new ApiError(403, `Image ${image.id} is protected and cannot be deleted.`);
  table.delete(image.id);
  if (image.ownsContent && image.path !== null) rmSync(image.path, { recursive: true, force: true });
}

/** `GET /v2/images` with Glance's filters; a value may be `in:a,b`. */
export function listImages(
  table: Collection<Image>,
  scope: Scope,
  query: Record<string, string | string[] | undefined>,
): {
  images: Record<string, unknown>[];
  more: boolean;
} {
  const {
    sort_key,
    sort_dir,
    sort,
    limit,
    marker,
    size_min,
    size_max,
    tag,
    member_status: _m,
    os_hidden,
    ...filters
  } = query;
  const [sortKey = "created_at", direction] = (
    one(sort) ?? `${one(sort_key) ?? "created_at"}:${one(sort_dir) ?? "desc"}`
  ).split(":");
  const wantedTags = tag === undefined ? [] : [tag].flat();
  const hidden = one(os_hidden)?.toLowerCase() === "true";
  const views = table
    .list((image) => image.hidden === hidden && isVisible(scope, image))
    .filter((image) => wantedTags.every((item) => image.tags.includes(item)))
    .filter((image) => size_min === undefined || (image.size ?? 0) >= Number(size_min))
    .filter((image) => size_max === undefined || (image.size ?? 0) <= Number(size_max))
    .map(imageView)
    .filter((view) => Object.entries(filters).every(([key, value]) => matches(view, key, one(value) ?? "")))
    .toSorted(
      (a, b) => String(a[sortKey] ?? "").localeCompare(String(b[sortKey] ?? "")) * (direction === "asc" ? 1 : -1),
    );
  const from = marker === undefined ? 0 : views.findIndex((view) => view.id === marker) + 1;
  const count = limit === undefined ? views.length : Number(limit);
  return { images: views.slice(from, from + count), more: views.length > from + count };
}

const one = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);

function matches(view: Record<string, unknown>, key: string, wanted: string): boolean {
  if (key === "visibility" && wanted === "all") return true;
  const value = String(view[key] ?? "");
  return wanted.startsWith("in:")
    ? wanted.slice(3).split(",").includes(value)
    : value.toLowerCase() === wanted.toLowerCase();
}
