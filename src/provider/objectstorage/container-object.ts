import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { homedir } from "node:os";
import { pipeline } from "node:stream/promises";
import { SlipwayError } from "../../common/errors.ts";
import type { PropertyMap, PropertyValue } from "../../engine/resource-provider.ts";
import { orMissing } from "../../openstack/missing.ts";
import { objectPath } from "../../openstack/object/objects.ts";
import type { RequestBody } from "../../openstack/transport.ts";
import { deleteUnlessGone } from "../../openstack/waiting.ts";
import type { Context, ResourceKind } from "../kind.ts";
import { flag, integer, map, text } from "../schema/property.ts";
import { isMap, textOf } from "../schema/values.ts";

const contents = ["content", "source", "copyFrom", "objectManifest"];
const content = (name: string) => ({ conflictsWith: contents.filter((other) => other !== name) });
const notCopied = { computed: true, conflictsWith: ["copyFrom"] };
const told = { output: true, computed: true };

/** `openstack_objectstorage_object_v1`; its id is `container/name`. */
export const containerObject: ResourceKind = {
  type: "openstack:objectstorage/containerObject:ContainerObject",
  autoName: true,
  timeouts: {},
  importable: false,
  properties: {
    region: text({ kept: true, computed: true, replaces: true }),
    containerName: text({ kept: true, required: true, replaces: true }),
    name: text({ kept: true, replaces: true }),
    content: text({ kept: true, ...content("content") }),
    source: text({ kept: true, ...content("source") }),
    copyFrom: text({ kept: true, ...content("copyFrom") }),
    objectManifest: text({ computed: true, ...content("objectManifest") }),
    contentType: text(notCopied),
    contentEncoding: text(notCopied),
    contentDisposition: text(notCopied),
    detectContentType: flag({ kept: true, default: false }),
    deleteAfter: integer({ kept: true }),
    deleteAt: text({ computed: true, same: sameTime }),
    etag: text({ computed: true }),
    metadata: map({ kept: true }),
    contentLength: integer(told),
    date: text(told),
    lastModified: text(told),
    transId: text(told),
  },

  async create(context, inputs) {
    return { id: idOf(inputs), requestId: await put(context, inputs) };
  },

  async read({ session }, _id, inputs, olds) {
    const path = objectPath(textOf({ ...olds, ...inputs }, "containerName") ?? "", nameOf({ ...olds, ...inputs }));
    const found = await orMissing(() => session.request("object-store", "HEAD", path));
    return found === undefined ? undefined : stateOf(found.headers);
  },

  /**
   * The whole object again: Swift changes nothing of a content in place. The official provider sends only what has changed, so that a
   * new type empties the object, and a new content drops its metadata.
   */
  async update(context, _id, { inputs }) {
    await put(context, inputs);
  },

  delete: (context, _id, olds) =>
    deleteUnlessGone(context, () =>
      context.session.request("object-store", "DELETE", objectPath(textOf(olds, "containerName") ?? "", nameOf(olds))),
    ),
};

function nameOf(values: PropertyMap): string {
  return textOf(values, "name") ?? "";
}

function idOf(inputs: PropertyMap): string {
  return `${textOf(inputs, "containerName") ?? ""}/${nameOf(inputs)}`;
}

async function put({ session, timeoutMs }: Context, inputs: PropertyMap): Promise<string | undefined> {
  const { body, headers } = await contentOf(inputs);
  const path = objectPath(textOf(inputs, "containerName") ?? "", nameOf(inputs));
  const answer = await session.request("object-store", "PUT", path, {
    body,
    headers: { ...headers, ...settings(inputs) },
    expect: [201, 202],
    timeoutMs,
  });
  return answer.requestId;
}

interface Content {
  body: RequestBody;
  headers: Record<string, string>;
}

/** @throws SlipwayError E_CONFIG_INVALID without a content, E_UPDATE_FAILED for a file that cannot be read */
async function contentOf(inputs: PropertyMap): Promise<Content> {
  const source = textOf(inputs, "source");
  if (source !== undefined) return fileContent(source.replace(/^~(?=\/|$)/, homedir()));
  if (typeof inputs.content === "string") {
    const bytes = Buffer.from(inputs.content);
    return { body: bytes, headers: { etag: createHash("md5").update(bytes).digest("hex") } };
  }
  const [copyFrom, manifest] = [textOf(inputs, "copyFrom"), textOf(inputs, "objectManifest")];
  if (copyFrom !== undefined) return { body: "", headers: { "x-copy-from": encodedPath(copyFrom) } };
  if (manifest !== undefined) return { body: "", headers: { "x-object-manifest": encodedPath(manifest) } };
  throw new SlipwayError("E_CONFIG_INVALID", `the object ${idOf(inputs)} has no content`, {
    hint: "Give one of content, source, copyFrom and objectManifest.",
  });
}

async function fileContent(file: string): Promise<Content> {
  const hash = createHash("md5");
  try {
    const { size } = await stat(file);
    await pipeline(createReadStream(file), hash);
    const headers = { etag: hash.digest("hex"), "content-length": String(size) };
    return { body: () => createReadStream(file), headers };
  } catch (cause) {
    throw new SlipwayError("E_UPDATE_FAILED", `the object's file ${file} cannot be read`, {
      hint: "Mend the path in source.",
      cause,
    });
  }
}

/** Container and object in a header: each part encoded, the slashes stay. */
function encodedPath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

function settings(inputs: PropertyMap): Record<string, string> {
  const header = (name: string, value: string | undefined) => (value === undefined ? {} : { [name]: value });
  const deleteAt = textOf(inputs, "deleteAt");
  const metadata = isMap(inputs.metadata) ? inputs.metadata : {};
  return {
    ...header("content-type", textOf(inputs, "contentType")),
    ...header("content-encoding", textOf(inputs, "contentEncoding")),
    ...header("content-disposition", textOf(inputs, "contentDisposition")),
    ...header("x-delete-after", inputs.deleteAfter ? String(inputs.deleteAfter) : undefined),
    ...header("x-delete-at", deleteAt === undefined ? undefined : String(Math.floor(Date.parse(deleteAt) / 1000))),
    ...header("x-detect-content-type", inputs.detectContentType === true ? "true" : undefined),
    ...header("etag", textOf(inputs, "etag")),
    ...Object.fromEntries(Object.entries(metadata).map(([key, value]) => [`x-object-meta-${key}`, String(value)])),
  };
}

function stateOf(headers: Record<string, string>): PropertyMap {
  const time = (name: string, seconds: number): PropertyMap =>
    Number.isFinite(seconds) ? { [name]: `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z` } : {};
  return {
    etag: (headers.etag ?? "").replaceAll('"', ""),
    contentDisposition: headers["content-disposition"] ?? "",
    contentEncoding: headers["content-encoding"] ?? "",
    contentLength: Number(headers["content-length"] ?? 0),
    contentType: headers["content-type"] ?? "",
    objectManifest: decodeURIComponent(headers["x-object-manifest"] ?? ""),
    transId: headers["x-trans-id"] ?? "",
    ...time("date", Date.parse(headers.date ?? "") / 1000),
    ...time("lastModified", Date.parse(headers["last-modified"] ?? "") / 1000),
    ...time("deleteAt", Number(headers["x-delete-at"] ?? Number.NaN)),
  };
}

function sameTime(state: PropertyValue, input: PropertyValue): boolean {
  return Date.parse(String(state)) === Date.parse(String(input));
}
