import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseBody } from "../http/body.ts";
import type { ComputeContext } from "./context.ts";
import { quotas } from "./quotas.ts";
import { metadataSchema } from "./server-create.ts";
import { ownServer } from "./servers.ts";

interface One {
  Params: { id: string };
}
interface OneKey {
  Params: { id: string; key: string };
}

/** `/servers/{id}/metadata` */
export function serverMetadataRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { store, servers } = context;
  const parse = (body: unknown) => parseBody(z.object({ metadata: metadataSchema }), body).metadata;
  const save = (id: string, metadata: Record<string, string>) => {
    if (Object.keys(metadata).length > quotas.metadata_items) {
      throw new ApiError(403, `Maximum number of metadata items exceeds ${quotas.metadata_items}`);
    }
    servers.patch(id, { metadata });
    return { metadata };
  };
  const missing = () => new ApiError(404, "Metadata item was not found");

  app.get<One>("/servers/:id/metadata", ({ scope, params }) => ({
    metadata: ownServer(context, scope, params.id).metadata,
  }));
  app.put<One>("/servers/:id/metadata", ({ scope, params, body }) =>
    store.transaction(() => save(ownServer(context, scope, params.id).id, parse(body))),
  );
  app.post<One>("/servers/:id/metadata", ({ scope, params, body }) =>
    store.transaction(() => {
      const server = ownServer(context, scope, params.id);
      return save(server.id, { ...server.metadata, ...parse(body) });
    }),
  );
  app.get<OneKey>("/servers/:id/metadata/:key", ({ scope, params }) => {
    const value = ownServer(context, scope, params.id).metadata[params.key];
    if (value === undefined) throw missing();
    return { meta: { [params.key]: value } };
  });
  app.put<OneKey>("/servers/:id/metadata/:key", ({ scope, params, body }) => {
    const { meta } = parseBody(z.object({ meta: metadataSchema }), body);
    if (Object.keys(meta).join() !== params.key) throw new ApiError(400, "Request body and URI mismatch");
    store.transaction(() => {
      const server = ownServer(context, scope, params.id);
      save(server.id, { ...server.metadata, ...meta });
    });
    return { meta };
  });
  app.delete<OneKey>("/servers/:id/metadata/:key", ({ scope, params }, reply) => {
    store.transaction(() => {
      const server = ownServer(context, scope, params.id);
      const { [params.key]: removed, ...rest } = server.metadata;
      if (removed === undefined) throw missing();
      save(server.id, rest);
    });
    return reply.code(204).send();
  });
}
