import type { FastifyInstance } from "fastify";
import type { Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { Store } from "../store/store.ts";
import { neutron } from "./errors.ts";
import { type Query, selectViews } from "./filters.ts";
import type { NetworkRecord, NetworkTables } from "./records.ts";
import { isVisible, type NetworkResource, ownRecord, revised, visibleRecord } from "./resource.ts";
import { parseTag, parseTags, tagNotFound } from "./tags.ts";

export interface NetworkContext {
  store: Store;
  tables: NetworkTables;
  /** Awaited after every change, so that an answer means: in effect. */
  reconcile: () => Promise<void>;
}

interface One {
  Params: { id: string };
}

/** The routes of one resource kind: list, show, create, update, delete, tags. */
export function resourceRoutes<T extends NetworkRecord>(
  app: FastifyInstance,
  context: NetworkContext,
  resource: NetworkResource<T>,
): void {
  const { store, tables, reconcile } = context;
  const { singular, path } = resource;
  const plural = `${singular}s`;
  const table = resource.table(tables);
  const view = (record: T) => resource.view(tables, record);
  const change = async <R>(work: () => R): Promise<R> => {
    const result = store.transaction(work);
    await reconcile();
    return result;
  };

  app.get<{ Querystring: Query }>(`/${path}`, ({ scope, query }) => {
    resource.prepare?.(tables, scope);
    const views = table.list((record) => isVisible(resource, tables, scope, record)).map(view);
    return { [plural]: selectViews(views, query, Object.keys(views[0] ?? query)) };
  });

  app.get<One>(`/${path}/:id`, ({ scope, params }) => ({
    [singular]: view(visibleRecord(resource, tables, scope, params.id)),
  }));

  const createOne = (scope: Scope, input: unknown): T => {
    resource.prepare?.(tables, scope);
    const record = resource.create(tables, scope, input);
    const used = table.list((other) => other.projectId === record.projectId).length;
    if (used >= resource.quota) throw neutron.overQuota(singular);
    return table.put(record);
  };
  app.post(`/${path}`, async ({ scope, body }, reply) => {
    const input = (body ?? {}) as Record<string, unknown>;
    projectOf(scope);
    const many = input[plural];
    if (Array.isArray(many)) {
      const records = await change(() => many.map((item) => createOne(scope, item)));
      return reply.code(201).send({ [plural]: records.map(view) });
    }
    if (input[singular] === undefined) {
      throw neutron.badRequest(`Unable to find '${singular}' in request body`);
    }
    const record = await change(() => createOne(scope, input[singular]));
    return reply.code(201).send({ [singular]: view(record) });
  });

  if (resource.update !== undefined) {
    const update = resource.update.bind(resource);
    app.put<One>(`/${path}/:id`, async ({ scope, params, body }) => {
      const input = (body as Record<string, unknown> | undefined)?.[singular];
      if (input === undefined) throw neutron.badRequest(`Unable to find '${singular}' in request body`);
      const record = await change(() =>
        table.put(update(tables, scope, ownRecord(resource, tables, scope, params.id, "update"), input)),
      );
      return { [singular]: view(record) };
    });
  }

  app.delete<One>(`/${path}/:id`, async ({ scope, params }, reply) => {
    await change(() => resource.remove(tables, ownRecord(resource, tables, scope, params.id, "delete")));
    return reply.code(204).send();
  });

  tagRoutes(app, context, resource);
}

function tagRoutes<T extends NetworkRecord>(
  app: FastifyInstance,
  { store, tables }: NetworkContext,
  resource: NetworkResource<T>,
): void {
  const table = resource.table(tables);
  const own = (scope: Scope, id: string) => ownRecord(resource, tables, scope, id, "update");
  const setTags = (record: T, tags: string[]) => table.put(revised(record, { tags } as Partial<T>));

  app.get<One>(`/${resource.path}/:id/tags`, ({ scope, params }) => ({
    tags: visibleRecord(resource, tables, scope, params.id).tags,
  }));
  app.put<One>(`/${resource.path}/:id/tags`, ({ scope, params, body }) =>
    store.transaction(() => ({ tags: setTags(own(scope, params.id), parseTags(body)).tags })),
  );
  app.delete<One>(`/${resource.path}/:id/tags`, ({ scope, params }, reply) => {
    store.transaction(() => setTags(own(scope, params.id), []));
    return reply.code(204).send();
  });

  type OneTag = { Params: { id: string; tag: string } };
  app.get<OneTag>(`/${resource.path}/:id/tags/:tag`, ({ scope, params }, reply) => {
    if (!visibleRecord(resource, tables, scope, params.id).tags.includes(params.tag)) throw tagNotFound(params.tag);
    return reply.code(204).send();
  });
  app.put<OneTag>(`/${resource.path}/:id/tags/:tag`, ({ scope, params }, reply) => {
    store.transaction(() => {
      const record = own(scope, params.id);
      setTags(record, [...new Set([...record.tags, parseTag(params.tag)])]);
    });
    return reply.code(201).send();
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
