import { lookup } from "../../common/lookup.ts";
import { isoSeconds } from "../http/time.ts";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import type { Collection } from "../store/store.ts";
import { glance } from "./faults.ts";
import { demandNatural, demandUnreserved, ownImage, readOnlyFields } from "./images.ts";
import type { Image } from "./records.ts";
import { demandImageFields } from "./schema.ts";

/** Content types of patches, and the draft of JSON patch that they mean. */
export const patchTypes = lookup<4 | 10>({
  "application/openstack-images-v2.0-json-patch": 4,
  "application/openstack-images-v2.1-json-patch": 10,
});

const operations = ["add", "remove", "replace"] as const;

interface Change {
  operation: (typeof operations)[number];
  path: string[];
  value?: unknown;
}

/** Glance's own fields that can be changed, as the record calls them. */
const fields: Record<string, keyof Image> = {
  name: "name",
  visibility: "visibility",
  min_disk: "minDisk",
  min_ram: "minRam",
  protected: "protected",
  os_hidden: "hidden",
  tags: "tags",
  container_format: "containerFormat",
  disk_format: "diskFormat",
  owner: "ownerId",
};

/** Reads a patch's body, all of it before any of it is done. @throws ApiError 400, 403 in Glance's words */
export function parsePatch(body: unknown, draft: 4 | 10): Change[] {
  if (body === undefined) throw glance.badRequest("Body expected in request.");
  if (!Array.isArray(body)) throw glance.badRequest("Request body must be a JSON array of operation objects.");
  return body.map((raw: unknown) => {
    if (typeof raw !== "object" || raw === null || Array.isArray(raw)) {
      throw glance.badRequest("Operations must be JSON objects.");
    }
    return parseChange(raw as Record<string, unknown>, draft);
  });
}

function parseChange(raw: Record<string, unknown>, draft: 4 | 10): Change {
  const operation = draft === 10 ? operationOf(raw) : olderOperationOf(raw);
  const pointer = draft === 10 ? raw.path : raw[operation];
  if (pointer === undefined) throw glance.badRequest("Unable to find 'path' in JSON Schema change");
  const path = parsePointer(String(pointer));
  const [root = ""] = path;
  if (path.length !== depthOf(root, operation)) {
    throw glance.badRequest(`Invalid JSON pointer for this resource: '/${path.join("/")}'`);
  }
  if (operation !== "remove" && !Object.hasOwn(raw, "value")) {
    throw glance.badRequest(`Operation "${operation}" requires a member named "value".`);
  }
  if (readOnlyFields.has(root)) throw glance.forbidden(`Attribute '${root}' is read-only.`);
  demandUnreserved(root, glance.forbidden);
  if (operation === "remove") return { operation, path };
  if (path.length === 1) demandImageFields({ [root]: raw.value });
  return { operation, path, value: raw.value };
}

const depthOf = (root: string, operation: Change["operation"]): number =>
  root === "locations" && operation !== "replace" ? 2 : 1;

function operationOf({ op }: Record<string, unknown>): Change["operation"] {
  const available = "It must be one of the following: add, remove, replace.";
  if (op === undefined) throw glance.badRequest(`Unable to find \`op\` in JSON Schema change. ${available}`);
  const found = operations.find((one) => one === op);
  if (found === undefined) throw glance.badRequest(`Invalid operation: \`${String(op)}\`. ${available}`);
  return found;
}

function olderOperationOf(raw: Record<string, unknown>): Change["operation"] {
  const [found, ...more] = operations.filter((one) => Object.hasOwn(raw, one));
  if (found !== undefined && more.length === 0) return found;
  const count = found === undefined ? "exactly" : "only";
  throw glance.badRequest(`Operation objects must contain ${count} one member named "add", "remove", or "replace".`);
}

/** The parts of a JSON pointer, as far as Glance takes them. @throws ApiError 400 */
export function parsePointer(pointer: string): string[] {
  const refuse = (why: string) => glance.badRequest(`Pointer \`${pointer}\` ${why}`);
  if (!pointer.startsWith("/")) throw refuse('does not start with "/".');
  if (/\/\s*?\//.test(pointer.slice(1))) throw refuse('contains adjacent "/".');
  if (pointer.length > 1 && pointer.endsWith("/")) throw refuse('end with "/".');
  if (/~[^01]/.test(pointer) || pointer.endsWith("~")) {
    throw refuse('contains "~" not part of a recognized escape sequence.');
  }
  return pointer
    .replace(/^\/+/, "")
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~").trim());
}

/** Keeps the image as the changes leave it. Inside a transaction. @throws ApiError 400, 403, 404, 409 in Glance's words */
export function changeImage(
  table: Collection<Image>,
  scope: Scope,
  id: string,
  changes: Change[],
  draft: 4 | 10,
): Image {
  return table.put(patched(ownImage(table, scope, id), scope, changes, draft));
}

/** The image as the changes leave it. @throws ApiError 400, 403, 409 in Glance's words */
function patched(image: Image, scope: Scope, changes: Change[], draft: 4 | 10): Image {
  const next = changes.reduce<Image>((before, change) => applied(before, scope, change, draft), {
    ...image,
    properties: { ...image.properties },
  });
  return changes.length === 0 ? image : { ...next, updatedAt: isoSeconds() };
}

function applied(image: Image, scope: Scope, { operation, path, value }: Change, draft: 4 | 10): Image {
  const [name = ""] = path;
  if (name === "locations") throw locationsRefused(operation, value);
  if (operation === "replace" && name === "owner" && !isAdmin(scope)) {
    throw glance.forbiddenBelow("Owner can't be updated by non admin.");
  }
  // Glance finds at the end that the image is out of sight; it is an administrator's to give away, whoever still sees it
  if (operation === "add" && name === "owner" && !owns(scope, String(value))) {
    throw glance.forbidden(`Forbidding request, image ${image.id} not visible`);
  }
  if (name === "visibility" && value === "public" && !isAdmin(scope)) throw glance.notAuthorized("publicize_image");
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
  const exists = field !== undefined || Object.hasOwn(image.properties, name);
  if (operation === "remove") {
    if (field !== undefined) throw glance.forbiddenBelow(`Property ${name} may not be removed.`);
    if (!exists) throw glance.conflictBelow(`Property ${name} does not exist.`);
    const { [name]: _removed, ...properties } = image.properties;
    return { ...image, properties };
  }
  if (operation === "replace" && !exists) throw glance.conflictBelow(`Property ${name} does not exist.`);
  if (operation === "add" && exists && draft === 4) throw glance.conflictBelow(`Property ${name} already present.`);
  if (field === undefined) return { ...image, properties: { ...image.properties, [name]: value as string } };
  if ((name === "disk_format" || name === "container_format") && image.status !== "queued" && image[field] !== value) {
    throw glance.forbidden(`Attribute ${name} can be only replaced for a queued image.`);
  }
  if (name === "min_disk" || name === "min_ram") demandNatural(name, value as number);
  return {
    ...image,
    [field]: name === "tags" ? [...new Set(value as string[])] : name === "name" ? (value ?? "") : value,
  };
}

/** Where contents lie is this cloud's own business, as it is of a Glance with its default settings. */
function locationsRefused(operation: Change["operation"], value: unknown): Error {
  if (operation === "replace" && Array.isArray(value) && value.length === 0) {
    return glance.forbiddenBelow("Cannot set locations to empty list.");
  }
  const verb = { add: "add", remove: "remove", replace: "update" }[operation];
  return glance.forbidden(`It's not allowed to ${verb} locations if locations are invisible.`);
}
