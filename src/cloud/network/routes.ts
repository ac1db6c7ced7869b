import type { FastifyInstance, FastifyRequest } from "fastify";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import { header, projectOf } from "../identity/tokens.ts";
import type { Store } from "../store/store.ts";
import { type Attributes, demandPrivileges, type Privilege, readAttributes, type Values } from "./attributes.ts";
import { neutron } from "./errors.ts";
import { pickFields, type Query, selectPage, type View } from "./filters.ts";
import { limitOf } from "./quota-limits.ts";
import type { NetworkRecord, NetworkTables } from "./records.ts";
import { isVisible, type NetworkResource, ownRecord, pluralOf, revised, visibleRecord } from "./resource.ts";
import { isSharedNetwork } from "./sharing.ts";
import { parseTag, parseTags, taggedNotFound, tagNotFound } from "./tags.ts";
import { isObject } from "./validators.ts";

export interface NetworkContext {
  store: Store;
  tables: NetworkTables;
  /** Awaited after every change, so that an answer means: in effect. */
  reconcile: () => Promise<void>;
  /** Without a path, e.g. `http://127.0.0.1:8080`. */
  base: () => string;
}

interface One {
  Params: { id: string };
  Querystring: Query;
}

/** The routes of one resource kind: list, show, create, update, delete, tags. */
export function resourceRoutes<T extends NetworkRecord, A extends Attributes>(
  app: FastifyInstance,
  context: NetworkContext,
  resource: NetworkResource<T, A>,
): void {
  const { store, tables, reconcile } = context;
  const { singular, path } = resource;
  const plural = pluralOf(resource);
  const table = resource.table(tables);
  const viewFor = (scope: Scope, record: T): View => ({
    ...resource.view(tables, record),
    ...resource.scopedView?.(tables, record, scope),
    ...(isAdmin(scope) ? resource.adminView?.(tables, record) : {}),
  });
  const createdView = (scope: Scope, record: T): View => ({
    ...viewFor(scope, record),
    ...resource.createdView?.(record),
  });
  const change = async <R>(work: () => R): Promise<R> => {
    const result = store.transaction(work);
    await reconcile();
    return result;
  };

  app.get<{ Querystring: Query }>(`/${path}`, ({ scope, query }) => {
    store.transaction(() => resource.prepare?.(tables, scope));
    const visible = table.list((record) => isVisible(resource, tables, scope, record));
    const { views, links } = selectPage({
      views: visible.map((record) => viewFor(scope, record)),
      attributes: resource.attributes,
      query,
      url: `${context.base()}/network/v2.0/${path}`,
      notFound: (id) => resource.notFound(id),
      hidden: resource.hidden === undefined ? undefined : (view) => resource.hidden?.(tables, view) ?? {},
    });
    return { [plural]: views, ...(links.length === 0 ? {} : { [`${plural}_links`]: links }) };
  });

  app.get<One>(`/${path}/:id`, ({ scope, params, query }) => ({
    [singular]: pickFields(viewFor(scope, visibleRecord(resource, tables, scope, params.id)), query),
  }));

  const createOne = (scope: Scope, input: unknown): T => {
    if (!isObject(input)) throw neutron.badRequest(`Object '${singular}' contains invalid data`);
    const body = readAttributes(resource.attributes, scope, input, "create");
    resource.demandPlace?.(tables, scope, body);
    const network = resource.networkOf?.(tables, body as { network_id?: string });
    demandPrivileges(resource.attributes, `create_${singular}`, body, privilegesOf(tables, scope, network));
    store.transaction(() => resource.prepare?.(tables, scope));
    const record = createRecord(resource, tables, scope, body);
    resource.created?.(tables, record);
    return record;
  };
  app.post(`/${path}`, async ({ scope, body }, reply) => {
    projectOf(scope);
    if (Array.isArray(body)) throw neutron.badRequest("Body contains invalid data");
    const input = isObject(body) ? body : {};
    const many = input[plural];
    if (many !== undefined && many !== null && input[singular] === undefined) {
      if (Array.isArray(many) && many.length === 0) throw neutron.badRequest("Resources required");
      const items = Array.isArray(many) ? many : [undefined];
      const records = await change(() =>
        items.map((item) => createOne(scope, isObject(item) && singular in item ? item[singular] : item)),
      );
      return reply.code(201).send({ [plural]: records.map((record) => createdView(scope, record)) });
    }
    const record = await change(() => createOne(scope, bodyOf(singular, body)));
    return reply.code(201).send({ [singular]: createdView(scope, record) });
  });

  const update = resource.update?.bind(resource);
  app.put<One>(`/${path}/:id`, async (request) => {
    const { scope, params } = request;
    if (update === undefined) {
      visibleRecord(resource, tables, scope, params.id);
      throw neutron.notSupported();
    }
    const input = bodyOf(singular, request.body);
    const changed = await change(() => {
      if (!isObject(input)) throw neutron.badRequest(`Object '${singular}' contains invalid data`);
      const body = readAttributes(resource.attributes, scope, input, "update");
      const record = ownRecord(resource, tables, scope, params.id, "update");
      demandRevision(request, record);
      const network = resource.networkOf?.(tables, record);
      demandPrivileges(resource.attributes, `update_${singular}`, body, privilegesOf(tables, scope, network));
      const next = update(tables, scope, record, body);
      return isSame(record, next) ? record : table.put(next);
    });
    return { [singular]: resource.changedView?.(tables, changed) ?? viewFor(scope, changed) };
  });

  app.delete<One>(`/${path}/:id`, async (request, reply) => {
    await change(() => {
      const record = ownRecord(resource, tables, request.scope, request.params.id, "delete");
      demandRevision(request, record);
      resource.remove(tables, record);
    });
    return reply.code(204).send();
  });

  app.delete(`/${path}`, () => {
    throw resource.notFound("None");
  });
  const refuse = () => {
    throw neutron.methodNotAllowed();
  };
  app.route({ method: ["PATCH", "POST"], url: `/${path}/:id`, handler: refuse });
  app.route({ method: ["PATCH", "PUT"], url: `/${path}`, handler: refuse });
}

function bodyOf(singular: string, body: unknown): unknown {
  const input = isObject(body) ? body[singular] : undefined;
  if (input === undefined || input === null) {
    throw neutron.badRequest(`Unable to find '${singular}' in request body`);
  }
  return input;
}

/** What a scope may do towards a network. */
function privilegesOf(tables: NetworkTables, scope: Scope, network: ReturnType<typeof tables.networks.get>) {
  return (privilege: Privilege): boolean => {
    if (privilege === "anyone" || isAdmin(scope)) return true;
    if (network === undefined || privilege === "admin") return false;
    const isOwner = owns(scope, network.projectId);
    return isOwner || (privilege === "network owner or shared" && isSharedNetwork(tables, network, scope));
  };
}

/** Makes a record of attributes that were read, within the project's quota. @throws ApiError as the resource's `create`, 409 over the quota */
export function createRecord<T extends NetworkRecord, A extends Attributes>(
  resource: NetworkResource<T, A>,
  tables: NetworkTables,
  scope: Scope,
  values: Values<A>,
): T {
  const record = resource.create(tables, scope, values);
  demandQuota(resource, tables, record);
  return resource.table(tables).put(record);
}

function demandQuota<T extends NetworkRecord, A extends Attributes>(
  resource: NetworkResource<T, A>,
  tables: NetworkTables,
  record: T,
): void {
  if (resource.quota === undefined) return;
  const limit = limitOf(tables, record.projectId, resource.singular, resource.quota);
  if (limit < 0) return;
  const used = resource.table(tables).list((other) => other.projectId === record.projectId).length;
  if (used >= limit) throw neutron.overQuota(resource.singular);
}

/** `If-Match: revision_number=N` makes a change one of what the client saw. @throws ApiError 400, 412 */
function demandRevision(request: FastifyRequest, { revision }: NetworkRecord): void {
  const tags = (header(request, "if-match") ?? "").split(",").map((tag) => tag.trim().replace(/^"(.*)"$/, "$1"));
  const wanted = tags.filter((tag) => tag.startsWith("revision_number="));
  const [first] = wanted;
  if (first === undefined) return;
  if (wanted.length > 1) throw neutron.bad("if-match", "Multiple revision_number etags are not supported");
  const number = first.slice("revision_number=".length);
  if (!/^-?\d+$/.test(number)) {
    throw neutron.bad("if-match", "Revision number etag must be in the format of revision_number=<int>");
  }
  if (Number(number) !== revision) throw neutron.revisionFailed(Number(number), revision);
}

/** Whether a change came to nothing: then it is none, and the revision stays. */
function isSame(before: NetworkRecord, after: NetworkRecord): boolean {
  const plain = (record: NetworkRecord) => JSON.stringify({ ...record, updatedAt: "", revision: 0 });
  return plain(before) === plain(after);
}

/** The tags of one resource kind. */
export function tagRoutes<T extends NetworkRecord, A extends Attributes>(
  app: FastifyInstance,
  { store, tables }: NetworkContext,
  resource: NetworkResource<T, A>,
): void {
  const table = resource.table(tables);
  const found = (scope: Scope, id: string): T => {
    const record = table.get(id);
    if (record !== undefined && isVisible(resource, tables, scope, record)) return record;
    throw taggedNotFound(pluralOf(resource), id);
  };
  const own = (scope: Scope, id: string) => {
    found(scope, id);
    return ownRecord(resource, tables, scope, id, "update");
  };
  const setTags = (record: T, tags: string[]) => table.put(revised(record, { tags } as Partial<T>));

  app.get<One>(`/${resource.path}/:id/tags`, ({ scope, params }) => ({
    tags: found(scope, params.id).tags.toSorted(),
  }));
  app.put<One>(`/${resource.path}/:id/tags`, ({ scope, params, body }) =>
    store.transaction(() => {
      const record = own(scope, params.id);
      return { tags: setTags(record, parseTags(body)).tags };
    }),
  );
  app.delete<One>(`/${resource.path}/:id/tags`, ({ scope, params }, reply) => {
    store.transaction(() => setTags(own(scope, params.id), []));
    return reply.code(204).send();
  });

  type OneTag = { Params: { id: string; tag: string } };
  app.get<OneTag>(`/${resource.path}/:id/tags/:tag`, ({ scope, params }, reply) => {
    if (!found(scope, params.id).tags.includes(params.tag)) throw tagNotFound(params.tag);
    return reply.code(204).send();
  });
  app.put<OneTag>(`/${resource.path}/:id/tags/:tag`, ({ scope, params }, reply) => {
    store.transaction(() => {
      const record = own(scope, params.id);
      setTags(record, [...new Set([...record.tags, parseTag(params.tag)])]);
    });
    return reply.code(201).type("application/json").send("null");
  });
  app.delete<OneTag>(`/${resource.path}/:id/tags/:tag`, ({ scope, params }, reply) => {
    store.transaction(() => {
      const record = own(scope, params.id);
      if (!record.tags.includes(params.tag)) throw tagNotFound(params.tag);
      setTags(
        record,
        record.tags.filter((item) => item !== params.tag),
      );
    });
    return reply.code(204).send();
  });
}
