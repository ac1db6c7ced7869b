import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { header } from "../identity/tokens.ts";
import { mayWrite } from "./acl.ts";
import { bulkDelete, bulkFormat, sendBulk } from "./bulk-delete.ts";
import { type ObjectContext, projectOfAccount } from "./context.ts";
import { existingObject, type OneObject, permittedContainer, placeOf } from "./object-access.ts";
import type { Container, ObjectTables, StoredObject } from "./records.ts";
import { deleteVersion, keepVersion, markDeleted } from "./versions.ts";

/** `DELETE` of an object, of a version, or of a static large object with its segments. */
export function deleteRoutes(app: FastifyInstance, context: ObjectContext, path: string): void {
  const { tables, folder } = context;
  app.delete<OneObject>(path, async (request, reply) => {
    const container = permittedContainer(context, context.caller(request), placeOf(request), mayWrite);
    const version = request.query["version-id"];
    const id = `${container.id}/${request.params["*"]}`;
    if (request.query["multipart-manifest"] === "delete") {
      const projectId = projectOfAccount(request.params.account);
      const names = segmentNames(tables, projectId, existingObject(context, container, request));
      return sendBulk(reply, bulkFormat(header(request, "accept")), await bulkDelete(app, request, names));
    }
    if (version !== undefined && version !== tables.objects.get(id)?.versionId) {
      const { file } = deleteVersion(tables, id, version);
      if (file !== null) await rm(join(folder, file), { force: true });
      return reply.code(204).send();
    }
    const object = existingObject(context, container, request);
    const deletion = await removeObject(context, container, object, version);
    if (deletion !== undefined) reply.header("x-object-version-id", deletion);
    return reply.code(204).send();
  });
}

/** Takes an object away. @returns the id of the note that it was deleted, in containers that keep versions */
async function removeObject(
  { tables, folder }: ObjectContext,
  container: Container,
  object: StoredObject,
  version?: string,
): Promise<string | undefined> {
  tables.objects.delete(object.id);
  if (container.versioned && version === undefined) {
    keepVersion(tables, object);
    return markDeleted(tables, object);
  }
  await rm(join(folder, object.file), { force: true });
  return undefined;
}

/** The names of an object's segments, those of manifests below it too, and its own at the end: `/container/object`. */
function segmentNames(tables: ObjectTables, projectId: string, object: StoredObject): string[] {
  const below = (object.segments ?? []).flatMap((segment) => {
    if ("data" in segment) return [];
    const found = segment.sub_slo === true ? tables.objects.get(`${projectId}${segment.name}`) : undefined;
    return found === undefined ? [segment.name] : segmentNames(tables, projectId, found);
  });
  return [...below, object.id.slice(projectId.length)];
}
