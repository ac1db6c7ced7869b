import { createReadStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { ApiError } from "../http/api-error.ts";
import { parseRange } from "./range.ts";
import { isExpired, type ObjectTables, objectsOf, type StoredObject } from "./records.ts";

/** A part of a content: bytes of a file, or bytes that a manifest holds itself. */
export interface Piece {
  from: { file: string } | { data: Buffer };
  start: number;
  /** Bytes. */
  size: number;
}

/** How deep manifests may name manifests, as in Swift. */
const maxDepth = 10;

/**
 * What an object's content is made of: its own file, or what its manifest names at this moment.
 * @param mayRead refuses segments that the caller may not have
 * @throws ApiError 409 for a static large object whose segments are not what they were
 */
export function piecesOf(
  tables: ObjectTables,
  projectId: string,
  object: StoredObject,
  mayRead: (containerId: string) => boolean,
  depth = 0,
): Piece[] {
  if (depth > maxDepth) throw new ApiError(409, "Max recursion depth exceeded");
  const below = (found: StoredObject) => piecesOf(tables, projectId, found, mayRead, depth + 1);
  if (object.manifest && depth === 0) return dynamicSegments(tables, projectId, object.manifest).flatMap(below);
  if (object.segments === undefined) return [{ from: { file: object.file }, start: 0, size: object.size }];
  return object.segments.flatMap((segment) => {
    if ("data" in segment) {
      const data = Buffer.from(segment.data, "base64");
      return [{ from: { data }, start: 0, size: data.length }];
    }
    const found = tables.objects.get(`${projectId}${segment.name}`);
    if (found === undefined || isExpired(found) || etagOf(found) !== segment.hash || !mayRead(found.containerId)) {
      throw new ApiError(409, `Object segments of ${object.name} are not what they were: ${segment.name}`);
    }
    const pieces = below(found);
    const range = segment.range === undefined ? "all" : parseRange(`bytes=${segment.range}`, sizeOf(pieces));
    return range === "all" || range === "unsatisfiable" ? pieces : cut(pieces, range.start, range.end);
  });
}

/** All objects whose container and name begin so. */
function dynamicSegments(tables: ObjectTables, projectId: string, manifest: string): StoredObject[] {
  const [name = "", ...rest] = decodeURIComponent(manifest).split("/");
  const container = tables.containers.get(`${projectId}/${name}`);
  const prefix = rest.join("/");
  return container === undefined ? [] : objectsOf(tables, container).filter((one) => one.name.startsWith(prefix));
}

/** The ETag of a dynamic large object: the MD5 of its parts' ETags; the caller hashes. */
export function dynamicEtags(tables: ObjectTables, projectId: string, manifest: string): string {
  return dynamicSegments(tables, projectId, manifest).map(etagOf).join("");
}

/** The ETag that clients see: of a static large object, that of its segments. */
export function etagOf({ slo, etag }: StoredObject): string {
  return slo?.etag ?? etag;
}

export function sizeOf(pieces: Piece[]): number {
  return pieces.reduce((sum, { size }) => sum + size, 0);
}

/** The pieces of a part of a content, both ends included. */
export function cut(pieces: Piece[], start: number, end: number): Piece[] {
  let offset = 0;
  return pieces.flatMap((piece) => {
    const first = Math.max(start - offset, 0);
    const last = Math.min(end - offset, piece.size - 1);
    offset += piece.size;
    return last < first ? [] : [{ from: piece.from, start: piece.start + first, size: last - first + 1 }];
  });
}

/** Reads pieces one after another. */
export function readPieces(pieces: Piece[], folder: string): Readable {
  async function* contents() {
    for (const { from, start, size } of pieces) {
      if (size === 0) continue;
      if ("data" in from) yield from.data.subarray(start, start + size);
      else yield* createReadStream(join(folder, from.file), { start, end: start + size - 1 });
    }
  }
  return Readable.from(contents());
}
