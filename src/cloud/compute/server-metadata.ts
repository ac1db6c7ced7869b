import type { FastifyInstance } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { metadataRoutes } from "../http/metadata-routes.ts";
import type { ComputeContext } from "./context.ts";
import { quotas } from "./quotas.ts";
import { ownServer } from "./servers.ts";

/** `/servers/{id}/metadata` */
export function serverMetadataRoutes(app: FastifyInstance, context: ComputeContext): void {
  metadataRoutes(app, {
    path: "/servers/:id",
    store: context.store,
    own: (scope, id) => ownServer(context, scope, id),
    save(id, metadata) {
      if (Object.keys(metadata).length > quotas.metadata_items) {
        throw new ApiError(403, `Maximum number of metadata items exceeds ${quotas.metadata_items}`);
      }
      context.servers.patch(id, { metadata });
    },
    missing: () => new ApiError(404, "Metadata item was not found"),
    deletedStatus: 204,
  });
}
