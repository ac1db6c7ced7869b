import { rm } from "node:fs/promises";
import { join } from "node:path";
import { mayWrite, ownsAccount } from "./acl.ts";
import type { Caller } from "./caller.ts";
import type { ObjectContext } from "./context.ts";
import { type Place, permittedContainer } from "./object-access.ts";
import { type Container, isExpired, type ObjectTables } from "./records.ts";
import { bareRefusal, notFound, refusal, refuse } from "./refusals.ts";
import { deleteVersion, demandVersionId, keepVersion, markDeleted, nullVersion } from "./versions.ts";

/** What came of a removal. */
interface Removed {
  /** False where there was nothing: in a container that keeps versions that is noted all the same. */
  existed: boolean;
  /** What the answer says of versions. */
  headers: Record<string, string>;
}

/**
 * Deletes an object, or one version of it.
 * @throws ApiError 400, 401, 403, 404
 */
export async function deleteObject(
  context: ObjectContext,
  caller: Caller,
  place: Place,
  version = "",
): Promise<Removed> {
  const { store, tables, folder } = context;
  const container = permittedContainer(context, caller, place, mayWrite);
  const {
    file,
    existed = true,
    headers = {},
  } = store.transaction(() =>
    version === "" || version === nullVersion
      ? removeCurrent(tables, container, place.name, version)
      : removeVersion(tables, container, place.name, version),
  );
  if (file) await rm(join(folder, file), { force: true });
  return { existed, headers };
}

/** What a removal leaves to do besides: a content that nobody has any more. */
interface Removal extends Partial<Removed> {
  file?: string | null | undefined;
}

function removeVersion(tables: ObjectTables, container: Container, name: string, version: string): Removal {
  demandVersionId(container, version);
  const id = `${container.id}/${name}`;
  const current = tables.objects.get(id);
  const isCurrent = version === current?.versionId;
  const left = isCurrent ? undefined : current?.versionId;
  const headers = { "x-object-version-id": version, "x-object-current-version-id": left ?? nullVersion };
  if (!isCurrent) return { file: deleteVersion(tables, id, version).file, headers };
  tables.objects.delete(id);
  return { file: current?.file, headers };
}

/** @param version `null` for what is not to be noted as deleted */
function removeCurrent(tables: ObjectTables, container: Container, name: string, version: string): Removal {
  const id = `${container.id}/${name}`;
  const object = tables.objects.get(id);
  const marks = container.versioned === true && version === "";
  if (object === undefined || isExpired(object)) {
    if (!marks) throw notFound();
    return { existed: false, headers: { "x-object-version-id": markDeleted(tables, container, name) } };
  }
  tables.objects.delete(id);
  // what is a version already stays one, also while the container keeps no new ones
  const stays = marks || object.versionId !== undefined;
  if (stays) keepVersion(tables, object);
  return {
    file: stays ? undefined : object.file,
    headers: marks ? { "x-object-version-id": markDeleted(tables, container, name) } : {},
  };
}

/** @throws ApiError 401, 403, 404, 409 */
export function deleteContainer(
  { store, tables }: Pick<ObjectContext, "store" | "tables">,
  caller: Caller,
  { projectId, container: name }: Omit<Place, "name">,
): void {
  if (!ownsAccount(caller, projectId)) throw refuse(caller);
  store.transaction(() => {
    const found = tables.containers.get(`${projectId}/${name}`);
    if (found === undefined) throw notFound();
    const current = tables.objects.figuresOf(found.id);
    const hasVersions = current.versions + tables.versions.figuresOf(found.id).count > 0;
    if (hasVersions) throw bareRefusal(409, "Delete all versions before deleting container.");
    if (current.count > 0) throw refusal(409);
    tables.containers.delete(found.id);
  });
}
