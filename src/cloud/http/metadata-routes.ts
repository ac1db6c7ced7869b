import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Scope } from "../identity/scope.ts";
import type { Store } from "../store/store.ts";
import { ApiError } from "./api-error.ts";
import { parseBody } from "./body.ts";
import { sendUntyped } from "./untyped.ts";

type Metadata = Record<string, string>;

/** Something that carries free metadata: a server, a volume. */
interface Owner {
  id: string;
  metadata: Metadata;
}

/** Whose metadata, and what its service does in its own way. */
export interface MetadataOwners {
  /** E.g. `/servers/:id`. */
  path: string;
  store: Store;
  /** The record, if the scope may use it. @throws ApiError 404 */
  own(scope: Scope, id: string): Owner;
  /** Keeps new metadata. @throws ApiError where it is too much */
  save(id: string, metadata: Metadata): void;
  missing(id: string, key: string): ApiError;
}

export const metadataSchema = z.record(z.string().min(1).max(255), z.string().max(255));

interface One {
  Params: { id: string };
}
interface OneKey {
  Params: { id: string; key: string };
}

/** `…/metadata` and `…/metadata/{key}`, as Nova and Cinder have them alike. */
export function metadataRoutes(app: FastifyInstance, owners: MetadataOwners): void {
  const { path, store, own, save, missing } = owners;
  const parse = (body: unknown) => parseBody(z.object({ metadata: metadataSchema }), body).metadata;
  /** One step: look at what there is, decide, keep. */
  const change = (scope: Scope, id: string, decide: (metadata: Metadata) => Metadata) =>
    store.transaction(() => {
      const metadata = decide(own(scope, id).metadata);
      save(id, metadata);
      return { metadata };
    });

  app.get<One>(`${path}/metadata`, ({ scope, params }) => ({ metadata: own(scope, params.id).metadata }));
  app.put<One>(`${path}/metadata`, ({ scope, params, body }) => change(scope, params.id, () => parse(body)));
  app.post<One>(`${path}/metadata`, ({ scope, params, body }) =>
    change(scope, params.id, (metadata) => ({ ...metadata, ...parse(body) })),
  );
  app.get<OneKey>(`${path}/metadata/:key`, ({ scope, params: { id, key } }) => {
    const { metadata } = own(scope, id);
    if (!Object.hasOwn(metadata, key)) throw missing(id, key);
    return { meta: { [key]: metadata[key] } };
  });
  app.put<OneKey>(`${path}/metadata/:key`, ({ scope, params, body }) => {
    const { meta } = parseBody(z.object({ meta: metadataSchema }), body);
    if (Object.keys(meta).join() !== params.key) throw new ApiError(400, "Request body and URI mismatch");
    change(scope, params.id, (metadata) => ({ ...metadata, ...meta }));
    return { meta };
  });
  app.delete<OneKey>(`${path}/metadata/:key`, ({ scope, params: { id, key } }, reply) => {
    change(scope, id, (metadata) => {
      if (!Object.hasOwn(metadata, key)) throw missing(id, key);
      const { [key]: _removed, ...rest } = metadata;
      return rest;
    });
    return sendUntyped(reply, 200);
  });
}
