import type { FastifyRequest } from "fastify";
import { type mayRead, ownsAccount } from "./acl.ts";
import { notFound, type ObjectContext, projectOfAccount, refuse } from "./context.ts";
import { type Container, isExpired, type StoredObject } from "./records.ts";
import { demandTemporaryUrl, isTemporaryUrl, type TemporaryUrlQuery } from "./temporary-url.ts";
import { oldVersion } from "./versions.ts";

export interface OneObject {
  Params: { account: string; container: string; "*": string };
  Querystring: { "version-id"?: string; "multipart-manifest"?: string } & TemporaryUrlQuery;
}
export type ObjectRequest = FastifyRequest<OneObject>;

/** The container, if the caller may do this with its objects; who may not see it is refused before anything is told. */
export function permittedContainer(
  { tables, caller }: ObjectContext,
  request: ObjectRequest,
  may: typeof mayRead,
): Container {
  const projectId = projectOfAccount(request.params.account);
  const container = tables.containers.get(`${projectId}/${request.params.container}`);
  const who = caller(request);
  if (isTemporaryUrl(request.query)) {
    demandTemporaryUrl(tables, projectId, container, request);
    if (container === undefined) throw notFound();
    return container;
  }
  if (container === undefined) throw ownsAccount(who, projectId) ? notFound() : refuse(who);
  if (!may(who, container)) throw refuse(who);
  return container;
}

/** The object, or the version of it, that a request names. @throws ApiError 404 */
export function existingObject({ tables }: ObjectContext, container: Container, request: ObjectRequest): StoredObject {
  const id = `${container.id}/${request.params["*"]}`;
  const object = tables.objects.get(id);
  const wanted = request.query["version-id"];
  if (wanted !== undefined && wanted !== object?.versionId) return oldVersion(tables, id, wanted);
  if (object === undefined || isExpired(object)) throw notFound();
  return object;
}
