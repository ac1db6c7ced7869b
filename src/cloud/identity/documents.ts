import type { FastifyInstance, FastifyRequest } from "fastify";
import type { z } from "zod";
import type { Collection } from "../store/store.ts";
import { type Document, newId } from "./accounts.ts";
import { found, type IdentityContext, selfOf } from "./context.ts";
import { collectionBody, filtered, type Query } from "./listing.ts";
import { parsePart } from "./malformed.ts";
import { demandAdmin, demandReader } from "./policy.ts";

interface One {
  Params: { id: string };
}

/** A kind of resource that administrators make and Keystone gives back as it is. */
export interface DocumentKind {
  /** E.g. `service`, `policy`: the body's key and the word of refusals. */
  name: string;
  /** The list's key and path; the name with an `s` unless told. */
  plural?: string;
  table: Collection<Document>;
  create: z.ZodType<Record<string, unknown>>;
  update: z.ZodType<Record<string, unknown>>;
  filters: readonly string[];
  /** Whether everybody may read it. */
  open?: boolean;
  /** As it is shown, without its link. */
  view?(document: Document): Record<string, unknown>;
  /** Completes what was asked for, in the transaction that keeps it. @throws ApiError where it cannot be */
  prepare?(asked: Record<string, unknown>, before: Document | undefined): Record<string, unknown>;
  /** What else goes, in the same transaction. @throws ApiError where it must stay */
  removed?(document: Document): void;
}

/** List, create, show, change and delete; behind `requireToken`. */
export function documentRoutes(app: FastifyInstance, context: IdentityContext, kind: DocumentKind): void {
  const { store, url } = context;
  const { name, plural = `${name}s`, table, create, update, filters, prepare = (asked) => asked } = kind;
  const path = `/v3/${plural}`;
  const one = (id: string) => found(table.get(id), name, id);
  const view = (document: Document) => ({
    ...(kind.view?.(document) ?? document),
    links: { self: `${url()}/${plural}/${document.id}` },
  });
  const demandMayRead = ({ scope }: FastifyRequest, action: string) => {
    if (!kind.open) demandReader(scope, action);
  };

  app.get<{ Querystring: Query }>(path, (request) => {
    demandMayRead(request, `list_${plural}`);
    const views = table.list().map(view);
    return collectionBody(plural, filtered(views, request.query, filters), selfOf(context, request));
  });
  app.post(path, ({ scope, body }, reply) => {
    demandAdmin(scope, `create_${name}`);
    const asked = parsePart(create, body, name);
    const made = store.transaction(() => table.put({ id: newId(), ...prepare(asked, undefined) }));
    return reply.code(201).send({ [name]: view(made) });
  });
  app.get<One>(`${path}/:id`, (request) => {
    demandMayRead(request, `get_${name}`);
    return { [name]: view(one(request.params.id)) };
  });
  app.patch<One>(`${path}/:id`, ({ scope, params, body }) => {
    demandAdmin(scope, `update_${name}`);
    const asked = parsePart(update, body, name);
    const changed = store.transaction(() => {
      const before = one(params.id);
      return table.put({ ...before, ...prepare(asked, before), id: before.id });
    });
    return { [name]: view(changed) };
  });
  app.delete<One>(`${path}/:id`, ({ scope, params }, reply) => {
    demandAdmin(scope, `delete_${name}`);
    store.transaction(() => {
      const document = one(params.id);
      kind.removed?.(document);
      table.delete(document.id);
    });
    return reply.code(204).send();
  });
}
