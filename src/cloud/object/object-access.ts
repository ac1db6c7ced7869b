import type { FastifyRequest } from "fastify";
import type { mayRead } from "./acl.ts";
import type { Caller } from "./caller.ts";
import { type ObjectContext, projectOfAccount } from "./context.ts";
import { type Container, isExpired, type StoredObject } from "./records.ts";
import { notFound, refuse } from "./refusals.ts";
import type { TemporaryUrlQuery } from "./temporary-url.ts";
import { demandVersionId, nullVersion, oldVersion } from "./versions.ts";

export interface OneObject {
  Params: { account: string; container: string; "*": string };
  Querystring: { "version-id"?: string; "multipart-manifest"?: string; format?: string } & TemporaryUrlQuery;
}
export type ObjectRequest = FastifyRequest<OneObject>;

/** Where an object is, or is to be. */
export interface Place {
  projectId: string;
  container: string;
  name: string;
}

export function placeOf({ params }: ObjectRequest): Place {
  return { projectId: projectOfAccount(params.account), container: params.container, name: params["*"] };
}

/** The container, if the caller may do this with its objects; who may not see it is refused before anything is told. */
export function permittedContainer(
  { tables }: Pick<ObjectContext, "tables">,
  caller: Caller,
  { projectId, container: name }: Omit<Place, "name">,
  may: typeof mayRead,
): Container {
  const id = `${projectId}/${name}`;
  const container = tables.containers.get(id);
  // a container that is not there lets nobody in whom the account would not
  if (!may(caller, container ?? { id, projectId, readAcl: "", writeAcl: "" })) throw refuse(caller);
  if (container === undefined) throw notFound();
  return container;
}

/** The object, or the version of it, that is asked for. @throws ApiError 400, 404 */
export function existingObject(
  { tables }: Pick<ObjectContext, "tables">,
  container: Container,
  name: string,
  version?: string,
): StoredObject {
  const id = `${container.id}/${name}`;
  const object = tables.objects.get(id);
  if (version !== undefined && version !== "") {
    demandVersionId(container, version);
    if (version !== (object?.versionId ?? nullVersion)) return oldVersion(tables, id, version);
  }
  if (object === undefined || isExpired(object)) throw notFound();
  return object;
}
