import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import { pythonRepr } from "../http/python-repr.ts";
import type { Scope } from "../identity/scope.ts";
import { demandState, demandUnlocked } from "./action.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { demandMetadata } from "./quota-limits.ts";
import type { VmState } from "./records.ts";
import { metadata as metadataSchema } from "./schema-types.ts";
import { ownServer } from "./servers.ts";

type Metadata = Record<string, string>;

const body = z.strictObject({ metadata: metadataSchema });
const oneBody = z.strictObject({
  meta: metadataSchema.superRefine((meta, { addIssue }) => {
    const count = Object.keys(meta).length;
    if (count === 0) addIssue(`${pythonRepr(meta)} does not have enough properties`);
    if (count > 1) addIssue(`${pythonRepr(meta)} has too many properties`);
  }),
});
const states: VmState[] = ["active", "paused", "suspended", "stopped"];
const missing = () => new ApiError(404, "Metadata item was not found");

interface One {
  Params: { id: string };
}
interface OneKey {
  Params: { id: string; key: string };
}

/** `/servers/{id}/metadata` */
export function serverMetadataRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { store, servers } = context;
  const path = "/servers/:id/metadata";
  /** One step: look at what there is, decide, keep. */
  const change = (scope: Scope, id: string, decide: (metadata: Metadata) => Metadata, name = "update metadata") =>
    store.transaction(() => {
      const server = ownServer(context, scope, id);
      const metadata = decide(server.metadata);
      demandUnlocked(server, scope);
      demandState(server, name, { states, whileBusy: true });
      demandMetadata(context.quotas, server.projectId, metadata);
      servers.patch(id, { metadata });
      return { metadata };
    });

  app.get<One>(path, ({ scope, params }) => ({ metadata: ownServer(context, scope, params.id).metadata }));
  app.put<One>(path, (request) => {
    const { metadata } = parseSchema(body, request.body ?? null);
    return change(request.scope, request.params.id, () => metadata);
  });
  app.post<One>(path, (request) => {
    const { metadata } = parseSchema(body, request.body ?? null);
    return change(request.scope, request.params.id, (had) => ({ ...had, ...metadata }));
  });
  app.get<OneKey>(`${path}/:key`, ({ scope, params: { id, key } }) => {
    const { metadata } = ownServer(context, scope, id);
    if (!Object.hasOwn(metadata, key)) throw missing();
    return { meta: { [key]: metadata[key] } };
  });
  app.put<OneKey>(`${path}/:key`, (request) => {
    const { meta } = parseSchema(oneBody, request.body ?? null);
    if (!Object.hasOwn(meta, request.params.key)) throw nova.badRequest("Request body and URI mismatch");
    change(request.scope, request.params.id, (had) => ({ ...had, ...meta }));
    return { meta };
  });
  app.delete<OneKey>(`${path}/:key`, ({ scope, params: { id, key } }, reply) => {
    change(
      scope,
      id,
      (had) => {
        if (!Object.hasOwn(had, key)) throw missing();
        const { [key]: _removed, ...rest } = had;
        return rest;
      },
      "delete metadata",
    );
    return reply.code(204).send();
  });
}
