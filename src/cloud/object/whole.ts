import { dynamicWhole } from "./dynamic-large-object.ts";
import { type Piece, type Reading, staticPieces, type Whole } from "./pieces.ts";
import type { StoredObject } from "./records.ts";

/**
 * An object as it is read: its own content, or what its manifest names.
 * @throws ApiError 401, 403, 404 for a dynamic large object whose parts the caller may not list
 */
export function wholeOf(reading: Reading, { file, size, etag, segments, slo, manifest }: StoredObject): Whole {
  if (manifest) return dynamicWhole(reading, manifest, etag);
  if (segments !== undefined && slo !== undefined) {
    return { ...slo, pieces: (start, end) => staticPieces(reading, segments, start, end) };
  }
  return { size, etag, pieces: (start, end) => [{ from: { file }, start, size: end - start + 1 }] };
}

/** All of it. */
export function allPieces({ size, pieces }: Whole): Iterable<Piece> {
  return size === 0 ? [] : pieces(0, size === undefined ? Number.POSITIVE_INFINITY : size - 1);
}
