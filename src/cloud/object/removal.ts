import { rm } from "node:fs/promises";
import { join } from "node:path";
import { mayWrite, ownsAccount } from "./acl.ts";
import type { Caller } from "./caller.ts";
import type { ObjectContext } from "./context.ts";
import { existingObject, type Place, permittedContainer } from "./object-access.ts";
import { type Container, isExpired, type ObjectTables } from "./records.ts";
import { bareRefusal, notFound, refusal, refuse } from "./refusals.ts";
import { deleteVersion, demandVersionId, keepVersion, markDeleted, nullVersion, versionsOf } from "./versions.ts";

/**
 * Deletes an object, or one version of it.
 * @returns what the answer says of versions
 * @throws ApiError 400, 401, 403, 404
 */
export async function deleteObject(
  context: ObjectContext,
  caller: Caller,
  place: Place,
  version = "",
): Promise<Record<string, string>> {
  const { store, tables, folder } = context;
  const container = permittedContainer(context, caller, place, mayWrite);
  const { file, headers = {} } = store.transaction(() => remove(tables, container, place.name, version));
  if (file) await rm(join(folder, file), { force: true });
  return headers;
}

/** What a removal leaves to do and to say: a content that nobody has any more. */
interface Removal {
  file?: string | null;
  headers?: Record<string, string>;
}

function remove(tables: ObjectTables, container: Container, name: string, version: string): Removal {
  if (version !== "") demandVersionId(container, version);
  const id = `${container.id}/${name}`;
  const current = tables.objects.get(id);
  if (version !== "" && version !== nullVersion) {
    const isCurrent = version === current?.versionId;
    const left = isCurrent ? undefined : current?.versionId;
    const headers = { "x-object-version-id": version, "x-object-current-version-id": left ?? nullVersion };
    if (!isCurrent) return { file: deleteVersion(tables, id, version).file, headers };
    tables.objects.delete(id);
    return { file: current?.file, headers };
  }
  const object = existingObject({ tables }, container, name);
  tables.objects.delete(id);
  const marks = container.versioned === true && version === "";
  // what is a version already stays one, also while the container keeps no new ones
  const stays = marks || object.versionId !== undefined;
  if (stays) keepVersion(tables, object);
  return {
    file: stays ? undefined : object.file,
    headers: marks ? { "x-object-version-id": markDeleted(tables, object) } : {},
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
    if (versionsOf(tables, found).length > 0) throw bareRefusal(409, "Delete all versions before deleting container.");
    if (tables.objects.find((object) => object.containerId === found.id && !isExpired(object))) throw refusal(409);
    tables.containers.delete(found.id);
  });
}
