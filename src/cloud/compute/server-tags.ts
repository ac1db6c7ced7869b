import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import { pythonRepr } from "../http/python-repr.ts";
import { sendUntyped } from "../http/untyped.ts";
import { demandState } from "./action.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import type { Server, VmState } from "./records.ts";
import { tagSchema } from "./schema-types.ts";
import { ownServer } from "./servers.ts";

/** Most tags of a server. */
const most = 50;

const body = z.strictObject({ tags: z.array(tagSchema).max(most) });
const states: VmState[] = ["active", "paused", "suspended", "stopped"];

interface One {
  Params: { id: string };
}
interface OneTag {
  Params: { id: string; tag: string };
}

/** `/servers/{id}/tags`, from 2.26 on. */
export function serverTagRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { store, servers } = context;
  const own = (request: FastifyRequest<One | OneTag>): Server => {
    if (request.microversion < 26) throw nova.notFound();
    return ownServer(context, request.scope, request.params.id);
  };
  /** The server where its tags may be changed. */
  const changeable = (request: FastifyRequest<One | OneTag>, name: string): Server => {
    const server = own(request);
    demandState(server, name, { states, whileBusy: true });
    return server;
  };
  const keep = ({ id }: Server, tags: string[]) => servers.patch(id, { tags: [...new Set(tags)].toSorted() })?.tags;

  app.get<One>("/servers/:id/tags", (request) => ({ tags: own(request).tags }));
  app.put<One>("/servers/:id/tags", (request) => {
    if (request.microversion < 26) throw nova.notFound();
    const { tags } = parseSchema(body, request.body ?? null);
    return { tags: store.transaction(() => keep(changeable(request, "update tags"), tags)) };
  });
  app.delete<One>("/servers/:id/tags", (request, reply) => {
    store.transaction(() => keep(changeable(request, "delete tags"), []));
    return reply.code(204).send();
  });
  app.get<OneTag>("/servers/:id/tags/:tag", (request, reply) => {
    const { id, tags } = own(request);
    const { tag } = request.params;
    if (!tags.includes(tag)) throw new ApiError(404, `Server ${id} has no tag '${tag}'`);
    return reply.code(204).send();
  });
  app.put<OneTag>("/servers/:id/tags/:tag", (request, reply) => {
    const { tag } = request.params;
    const had = store.transaction(() => {
      const server = changeable(request, "update tag");
      demandTag(tag);
      if (server.tags.length >= most) {
        throw nova.badRequest(`The number of tags exceeded the per-server limit ${most}`);
      }
      keep(server, [...server.tags, tag]);
      return server.tags.includes(tag);
    });
    if (had) return sendUntyped(reply, 204);
    const place = `${context.base()}/compute/v2.1/servers/${request.params.id}/tags/${encodeURIComponent(tag)}`;
    return sendUntyped(reply.header("location", place), 201);
  });
  app.delete<OneTag>("/servers/:id/tags/:tag", (request, reply) => {
    const { tag } = request.params;
    store.transaction(() => {
      const server = changeable(request, "delete tag");
      if (!server.tags.includes(tag)) throw new ApiError(404, `Instance ${server.id} has no tag '${tag}'`);
      keep(
        server,
        server.tags.filter((other) => other !== tag),
      );
    });
    return reply.code(204).send();
  });
}

/** @throws ApiError 400 */
function demandTag(tag: string): void {
  if (tagSchema.safeParse(tag).success) return;
  const why = tag.length > 60 ? `${pythonRepr(tag)} is too long` : `${pythonRepr(tag)} does not match '^[^,/]*$'`;
  throw nova.badRequest(
    `Tag '${tag}' is invalid. It must be a non empty string without characters '/' and ','. Validation error message: ${why}`,
  );
}
