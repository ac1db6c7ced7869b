import { type ListingQuery, limitOf, listingTime } from "./listing.ts";
import { md5 } from "./md5.ts";
import {
  type Container,
  isExpired,
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

/** What a version that says that there was nothing any more is called. */
const deletedType = "application/x-deleted;swift_versions_deleted=1";

let last = 0;

/** A new version's id: its time, later than that of any before. */
export function newVersionId(): string {
  last = Math.max(swiftNow(), last + 0.00001);
  return last.toFixed(5);
}

/**
 * The object's content stays as a version of it, without an end: that was the object's. One from before the container kept any gets the time
 * that it was made at, and takes all that it was along.
 */
export function keepVersion(tables: ObjectTables, object: StoredObject): void {
  const versionId = object.versionId ?? object.timestamp.toFixed(5);
  const deleteAt = object.versionId === undefined ? (object.deleteAt ?? null) : null;
  tables.versions.put({ ...object, id: idOf(object.id, versionId), versionId, deleteAt });
}

/** Notes that an object was deleted, also one that was not there. @returns the id of that */
export function markDeleted(tables: ObjectTables, container: Container, name: string): string {
  const versionId = newVersionId();
  tables.versions.put({
    ...{ id: idOf(`${container.id}/${name}`, versionId), containerId: container.id, name, versionId },
    ...{ size: 0, etag: md5(""), contentType: deletedType, contentEncoding: null, contentDisposition: null },
    ...{ metadata: {}, timestamp: Number(versionId), file: null },
  });
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
  if (found === undefined || found.file === null || isExpired(found)) throw notFound();
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

/** `GET ?versions`: every version of every object, by name, what was there before the container kept any first, then the newest first. */
export function versionLines(tables: ObjectTables, container: Container, query: ListingQuery): unknown[] {
  const current = objectsOf(tables, container);
  const unversioned = current.filter(({ versionId }) => versionId === undefined);
  const versioned = [
    ...current.filter(({ versionId }) => versionId !== undefined),
    ...tables.versions.list((version) => version.containerId === container.id && !isExpired(version)),
  ].toSorted((a, b) => Number(b.versionId) - Number(a.versionId));
  const currentIds = new Set(current.map(({ id }) => id));
  const taken = new Set(current.map(({ name }) => name));
  /** The object itself, or the last note that there is none. */
  const isLatest = ({ id, name, file }: StoredObject | ObjectVersion) => {
    if (currentIds.has(id)) return true;
    if (file !== null || taken.has(name)) return false;
    taken.add(name);
    return true;
  };
  return [...unversioned, ...versioned]
    .map((one) => ({ ...one, isLatest: isLatest(one) }))
    .filter(({ name }) => name.startsWith(query.prefix ?? "") && name > (query.marker ?? ""))
    .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .slice(0, limitOf(query.limit))
    .map(({ name, size, etag, contentType, timestamp, versionId = nullVersion, isLatest: latest }) => ({
      ...{ bytes: size, hash: etag, name, content_type: contentType, last_modified: listingTime(timestamp) },
      ...{ is_latest: latest, version_id: versionId },
    }));
}

function idOf(objectId: string, versionId: string): string {
  return `${objectId}?${versionId}`;
}
