import { randomUUID } from "node:crypto";
import { isoSeconds } from "../http/time.ts";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { Collection } from "../store/store.ts";
import { glance } from "./faults.ts";
import type { Image } from "./records.ts";
import { removeContent } from "./removed-content.ts";
import { demandImageFields } from "./schema.ts";

/** Fields that no client sets. */
export const readOnlyFields = new Set([
  ...["created_at", "updated_at", "status", "checksum", "size", "virtual_size", "direct_url", "self", "file"],
  ...["schema", "id", "os_hash_algo", "os_hash_value", "stores"],
]);

/** Names that Glance keeps to itself. @throws ApiError 403 */
export function demandUnreserved(name: string, refuse: (message: string) => Error): void {
  if (["location", "deleted", "deleted_at"].includes(name) || name.startsWith("os_glance_")) {
    throw refuse(`Attribute '${name}' is reserved.`);
  }
}

export function demandNatural(name: string, value: number): void {
  if (value < 0)
    throw glance.badRequest(`Invalid value '${value}' for parameter '${name}': Cannot be a negative value`);
}

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

/** What a create takes, once it is seen to be as Glance's schema says. */
interface NewImage {
  id?: string;
  name?: string | null;
  visibility?: Image["visibility"];
  container_format?: string | null;
  disk_format?: string | null;
  min_disk?: number;
  min_ram?: number;
  protected?: boolean;
  os_hidden?: boolean;
  owner?: string | null;
  tags?: string[];
}

/** @throws ApiError 400, 403, 409 in Glance's words */
export function createImage(table: Collection<Image>, scope: Scope, input: unknown): Image {
  if (input === undefined) throw glance.badRequest("Body expected in request.");
  if (input === null || typeof input !== "object" || Array.isArray(input))
    throw glance.badRequest("Request body must be a JSON object.");
  const asked = input as Record<string, unknown>;
  const fixed = Object.keys(asked).find((name) => readOnlyFields.has(name) && name !== "id");
  if (fixed !== undefined) throw glance.forbidden(`Attribute '${fixed}' is read-only.`);
  demandImageFields(asked);
  const { id, name, visibility, container_format, disk_format, min_disk, min_ram, os_hidden, owner, tags, ...rest } =
    asked as NewImage;
  const { protected: isProtected, ...properties } = rest;
  for (const property of Object.keys(properties)) {
    if (property.length > 255) throw glance.badRequest("Custom property should not be greater than 255 characters.");
    demandUnreserved(property, glance.forbiddenBelow);
  }
  const projectId = projectOf(scope).id;
  if (owner !== undefined && owner !== projectId && !isAdmin(scope)) {
    throw glance.forbidden(`You are not permitted to create images owned by '${owner}'.`);
  }
  if (visibility === "public" && !isAdmin(scope)) throw glance.notAuthorized("publicize_image");
  for (const [field, value] of Object.entries({ min_disk, min_ram })) {
    if (value !== undefined) demandNatural(field, value);
  }
  if (id !== undefined && table.get(id) !== undefined) throw glance.conflict(`Image ID ${id} already exists!`);
  return table.put({
    ...newImage(owner ?? projectId, id),
    name: name ?? "",
    visibility: visibility ?? "shared",
    containerFormat: container_format ?? null,
    diskFormat: disk_format ?? null,
    minDisk: min_disk ?? 0,
    minRam: min_ram ?? 0,
    protected: isProtected ?? false,
    hidden: os_hidden ?? false,
    tags: [...new Set(tags ?? [])],
    properties: properties as Record<string, string>,
  });
}

/** The image if the scope may see it. @throws ApiError 404, the same for one that is another project's */
export function visibleImage(
  table: Collection<Image>,
  scope: Scope,
  id: string,
  missing = `No image found with ID ${id}`,
): Image {
  const image = table.get(id);
  if (image === undefined || !isVisible(scope, image)) throw glance.notFound(missing);
  return image;
}

export function isVisible(scope: Scope, image: Image): boolean {
  if (image.visibility === "public" || image.visibility === "community" || owns(scope, image.ownerId)) return true;
  return image.visibility === "shared" && memberOf(image, scope) !== undefined;
}

/** The scope's project among those that the image is shared with. */
export function memberOf(image: Image, scope: Scope) {
  return image.members?.find(({ projectId }) => projectId === scope.project?.id);
}

/** The image if the scope may change it. @throws ApiError 403, 404 */
export function ownImage(
  table: Collection<Image>,
  scope: Scope,
  id: string,
  { missing, refused }: { missing?: string; refused?: string } = {},
): Image {
  const image = visibleImage(table, scope, id, missing);
  if (!owns(scope, image.ownerId)) throw refused === undefined ? glance.notOwned() : glance.forbidden(refused);
  return image;
}

/**
 * Deletes an image; a protected one stays. Returns what removes that which the cloud itself stored of it, and may take its time: to be called
 * once the record is gone for good.
 * @throws ApiError 403
 */
export function deleteImage(table: Collection<Image>, image: Image): () => Promise<void> {
  if (image.protected) throw glance.forbidden(`Image ${image.id} is protected and cannot be deleted.`);
  table.delete(image.id);
  const { path, ownsContent } = image;
  return async () => {
    if (ownsContent && path !== null) await removeContent(path);
  };
}
