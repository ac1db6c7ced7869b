import type { IncomingHttpHeaders } from "node:http";
import { pythonQuoted } from "../http/percent.ts";
import type { Figures } from "./counted-collection.ts";
import type { Container, StoredObject } from "./records.ts";
import { temporaryUrlKeys } from "./temporary-url.ts";

export type Kind = "account" | "container" | "object";

/** What Swift takes for a yes; all else is a no. */
export function isTrue(text = ""): boolean {
  return /^(true|1|yes|on|t|y)$/i.test(text);
}

/** The `X-<kind>-Meta-*` headers of a request, names in lower case without the prefix. */
export function metadataFrom(headers: IncomingHttpHeaders, kind: Kind): Record<string, string> {
  const prefix = `x-${kind}-meta-`;
  const own = Object.entries(headers).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), String(value)]));
}

/** The names that `X-Remove-<kind>-Meta-*` headers take away, in lower case without the prefix. */
export function removedMetadata(headers: IncomingHttpHeaders, kind: Kind): string[] {
  const prefix = `x-remove-${kind}-meta-`;
  return Object.keys(headers).flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []));
}

/** What only an account's owner is told of it and its containers: Swift's `swift_owner_headers`. */
function toldTo(isOwner: boolean, metadata: Record<string, string>): Record<string, string> {
  const told = Object.entries(metadata).filter(([name]) => isOwner || !temporaryUrlKeys.includes(name));
  return Object.fromEntries(told);
}

/** What `HEAD` and `GET` of an account say of what its users noted on it. */
export function accountHeaders(metadata: Record<string, string>, isOwner: boolean): Record<string, string> {
  return metadataHeaders(toldTo(isOwner, metadata), "account");
}

/** Metadata as the headers of an answer. */
function metadataHeaders(metadata: Record<string, string>, kind: Kind): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`x-${kind}-meta-${name}`, value]));
}

/** What `HEAD` and `GET` of a container say of it. */
export function containerHeaders(
  container: Container,
  { count, bytes }: Figures,
  isOwner: boolean,
): Record<string, string | number> {
  return {
    "x-container-object-count": count,
    "x-container-bytes-used": bytes,
    "x-timestamp": container.timestamp.toFixed(5),
    "last-modified": new Date(Math.ceil(container.timestamp) * 1000).toUTCString(),
    "x-storage-policy": "Policy-0",
    "accept-ranges": "bytes",
    ...(isOwner ? sharingHeaders(container) : {}),
    ...(container.versioned === undefined ? {} : { "x-versions-enabled": container.versioned ? "True" : "False" }),
    ...metadataHeaders(toldTo(isOwner, container.metadata), "container"),
  };
}

function sharingHeaders({ readAcl, writeAcl, syncTo, syncKey }: Container): Record<string, string> {
  return {
    ...(readAcl === "" ? {} : { "x-container-read": readAcl }),
    ...(writeAcl === "" ? {} : { "x-container-write": writeAcl }),
    ...(syncTo ? { "x-container-sync-to": syncTo } : {}),
    ...(syncKey ? { "x-container-sync-key": syncKey } : {}),
  };
}

/** Where an object that is a version is read also later. */
export function versionPath({ id, versionId = "" }: Pick<StoredObject, "id" | "versionId">): string {
  return `/v1/AUTH_${pythonQuoted(id)}?version-id=${versionId}`;
}

/** What the answer to a copy tells of the new object. */
export function copyHeaders({ deleteAt, metadata }: StoredObject): Record<string, string> {
  return { ...(deleteAt ? { "x-delete-at": String(deleteAt) } : {}), ...metadataHeaders(metadata, "object") };
}

/** What `HEAD` and `GET` of an object say of it, but for the length. */
export function objectHeaders(object: StoredObject): Record<string, string> {
  return {
    "content-type": object.contentType,
    etag: object.slo === undefined ? object.etag : `"${object.slo.etag}"`,
    ...(object.slo === undefined ? {} : { "x-static-large-object": "True", "x-manifest-etag": object.etag }),
    "last-modified": new Date(Math.ceil(object.timestamp) * 1000).toUTCString(),
    "x-timestamp": object.timestamp.toFixed(5),
    "accept-ranges": "bytes",
    ...(object.contentEncoding === null ? {} : { "content-encoding": object.contentEncoding }),
    ...(object.contentDisposition === null ? {} : { "content-disposition": object.contentDisposition }),
    ...(object.deleteAt ? { "x-delete-at": String(object.deleteAt) } : {}),
    ...(object.manifest ? { "x-object-manifest": object.manifest } : {}),
    ...(object.versionId === undefined
      ? {}
      : { "x-object-version-id": object.versionId, "content-location": versionPath(object) }),
    ...metadataHeaders(object.metadata, "object"),
  };
}
