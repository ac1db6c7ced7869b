import { type ListingQuery, limitOf, listingTime } from "./listing.ts";
import {
  type Container,
  type ObjectTables,
  type ObjectVersion,
  objectsOf,
  type StoredObject,
  swiftNow,
} from "./records.ts";
import { bareRefusal, notFound, plainRefusal } from "./refusals.ts";

// What Swift's object versioning keeps of a container's objects when they are overwritten or deleted.

/** What is asked for as the version of what was there before the container kept any. */
export const nullVersion = "null";

let last = 0;

/** A new version's id: its time, later than that of any before. */
export function newVersionId(): string {
  last = Math.max(swiftNow(), last + 0.00001);
  return last.toFixed(5);
}

/** The object's content stays as a version of it; one from before the container kept any gets the time that it was made at. */
export function keepVersion(tables: ObjectTables, object: StoredObject): void {
  const versionId = object.versionId ?? object.timestamp.toFixed(5);
  tables.versions.put({ ...object, id: idOf(object.id, versionId), versionId });
}

/** Notes that the object was deleted. @returns the id of that */
export function markDeleted(tables: ObjectTables, object: StoredObject): string {
  const versionId = newVersionId();
  const marker = { size: 0, etag: "", contentType: "application/x-deleted;swift_versions_deleted=1", file: null };
  tables.versions.put({ ...object, ...marker, id: idOf(object.id, versionId), versionId, timestamp: swiftNow() });
  return versionId;
}

/** @throws ApiError 400 for an id that is none, and where the container has never kept versions */
export function demandVersionId({ versioned }: Container, versionId: string): void {
  if (versioned === undefined && versionId !== nullVersion) {
    throw bareRefusal(400, "version-aware operations require that the container is versioned");
  }
  if (versionId === nullVersion || /^\d+(\.\d+)?(_[\da-f]{1,16})?$/i.test(versionId)) return;
  throw bareRefusal(400, "Invalid version parameter");
}

/** What the object was. @throws ApiError 404 */
export function oldVersion(tables: ObjectTables, objectId: string, versionId: string): StoredObject {
  const found = tables.versions.get(idOf(objectId, versionId));
  if (found === undefined || found.file === null) throw notFound();
  return { ...found, file: found.file };
}

/** Forgets a version. @throws ApiError 404 */
export function deleteVersion(tables: ObjectTables, objectId: string, versionId: string): ObjectVersion {
  const found = tables.versions.get(idOf(objectId, versionId));
  if (found === undefined) throw notFound();
  tables.versions.delete(found.id);
  return found;
}

/**
 * Makes a version the object; what it was until now stays a version, or is lost if it never was one.
 * @returns the object, and the content that nobody has any more
 * @throws ApiError 404
 */
export function makeCurrent(
  tables: ObjectTables,
  objectId: string,
  versionId: string,
): { object: StoredObject; lost?: string } {
  const current = tables.objects.get(objectId);
  if (current?.versionId === versionId) return { object: current };
  const found = tables.versions.get(idOf(objectId, versionId));
  if (found === undefined || found.file === null) throw plainRefusal(404, "The specified version does not exist");
  tables.versions.delete(found.id);
  if (current?.versionId !== undefined) keepVersion(tables, current);
  const object = tables.objects.put({ ...found, id: objectId, file: found.file });
  return current === undefined || current.versionId !== undefined ? { object } : { object, lost: current.file };
}

export function versionsOf(tables: ObjectTables, { id }: Container): ObjectVersion[] {
  return tables.versions.list((version) => version.containerId === id);
}

/** `GET ?versions`: every version of every object, by name, the newest first. */
export function versionLines(tables: ObjectTables, container: Container, query: ListingQuery): unknown[] {
  const current = objectsOf(tables, container).map((object) => ({
    line: object,
    versionId: object.versionId ?? nullVersion,
    isLatest: true,
  }));
  const names = new Set(current.map(({ line }) => line.name));
  const old = versionsOf(tables, container)
    .toSorted((a, b) => b.timestamp - a.timestamp)
    .map((version) => {
      const isLatest = !names.has(version.name);
      names.add(version.name);
      return { line: version, versionId: version.versionId, isLatest };
    });
  return [...current, ...old]
    .filter(({ line }) => line.name.startsWith(query.prefix ?? "") && line.name > (query.marker ?? ""))
    .toSorted((a, b) => (a.line.name < b.line.name ? -1 : a.line.name > b.line.name ? 1 : 0))
    .slice(0, limitOf(query.limit))
    .map(({ line, versionId, isLatest }) => ({
      ...{ name: line.name, bytes: line.size, hash: line.etag, content_type: line.contentType },
      ...{ last_modified: listingTime(line.timestamp), version_id: versionId, is_latest: isLatest },
    }));
}

function idOf(objectId: string, versionId: string): string {
  return `${objectId}?${versionId}`;
}
