import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { orMissing } from "../missing.ts";
import type { Session } from "../session.ts";
import { containerPath } from "./containers.ts";

/** An object's description. Sizes in bytes. */
export interface ObjectInfo {
  name: string;
  size: number;
  /** MD5 of the content, as 32 hex digits; not one for large-object manifests. */
  etag: string;
  contentType: string;
}

/** Milliseconds for one transfer: a layer of 100 MB at 1 MB/s and some. */
const transferTimeoutMs = 300_000;

/** Pages that one listing may have: a store that ignores the marker must not keep us forever. */
const maxPages = 1000;

/** Stores text or bytes; replaces what was there. */
export async function putObject(
  session: Session,
  container: string,
  name: string,
  content: string | Uint8Array,
  contentType = "application/octet-stream",
): Promise<void> {
  await session.request("object-store", "PUT", objectPath(container, name), {
    body: content,
    headers: { "content-type": contentType },
    expect: [201, 202],
    timeoutMs: transferTimeoutMs,
  });
}

/**
 * Stores text where there is no object of that name. A store that knows no conditions replaces what was there.
 * @returns false where there is one, which stays as it is
 */
export async function putNewObject(session: Session, container: string, name: string, text: string): Promise<boolean> {
  const { status } = await session.request("object-store", "PUT", objectPath(container, name), {
    body: text,
    headers: { "content-type": "text/plain; charset=utf-8", "if-none-match": "*" },
    expect: [201, 202, 412],
  });
  return status !== 412;
}

/** Stores a file, streamed; its stream is opened again for each attempt. */
export async function putObjectFile(session: Session, container: string, name: string, file: string): Promise<void> {
  const { size } = await stat(file);
  await session.request("object-store", "PUT", objectPath(container, name), {
    body: () => createReadStream(file),
    headers: { "content-type": "application/octet-stream", "content-length": String(size) },
    expect: [201, 202],
    timeoutMs: transferTimeoutMs,
  });
}

/** The object's content; undefined where there is none. */
export async function getObject(session: Session, container: string, name: string): Promise<Buffer | undefined> {
  const found = await orMissing(() =>
    session.request("object-store", "GET", objectPath(container, name), { timeoutMs: transferTimeoutMs }),
  );
  return found?.bytes;
}

/** The object's description; undefined where there is none. */
export async function headObject(
  session: Session,
  container: string,
  name: string,
): Promise<(ObjectInfo & { ageMs: number }) | undefined> {
  const found = await orMissing(() => session.request("object-store", "HEAD", objectPath(container, name)));
  if (found === undefined) return undefined;
  const { headers } = found;
  return {
    name,
    size: Number(headers["content-length"] ?? 0),
    etag: (headers.etag ?? "").replaceAll('"', ""),
    contentType: headers["content-type"] ?? "",
    ageMs: ageOf(headers),
  };
}

/** How long ago the object was written, in milliseconds by the store's own clock; to a second. */
function ageOf({ date, "last-modified": modified }: Record<string, string | undefined>): number {
  const age = Date.parse(date ?? "") - Date.parse(modified ?? "");
  return Number.isFinite(age) ? Math.max(0, age) : 0;
}

/** The container's objects whose names begin with `prefix`, in Swift's pages of up to 10 000. */
export async function listObjects(session: Session, container: string, prefix = ""): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for (let page = 0; page < maxPages; page += 1) {
    const { body } = await session.request<SwiftEntry[] | undefined>("object-store", "GET", containerPath(container), {
      query: { format: "json", prefix: prefix === "" ? undefined : prefix, marker: found.at(-1)?.name },
      expect: [200, 204],
    });
    if (body === undefined || body.length === 0) break;
    found.push(...body.map(fromEntry));
  }
  return found;
}

/** Deletes the object; one that is gone already is success. */
export async function deleteObject(session: Session, container: string, name: string): Promise<void> {
  await session.request("object-store", "DELETE", objectPath(container, name), { expect: [204, 202, 200, 404] });
}

interface SwiftEntry {
  name: string;
  bytes: number;
  hash: string;
  content_type: string;
}

function fromEntry(entry: SwiftEntry): ObjectInfo {
  return { name: entry.name, size: entry.bytes, etag: entry.hash, contentType: entry.content_type };
}

/** An object's path below the account; slashes in its name stay slashes. */
export function objectPath(container: string, name: string): string {
  return `${containerPath(container)}/${name.split("/").map(encodeURIComponent).join("/")}`;
}
