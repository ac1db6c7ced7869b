import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseBody } from "../http/body.ts";
import type { ComputeContext } from "./context.ts";
import { ownServer } from "./servers.ts";

export const tagSchema = z
  .string()
  .min(1)
  .max(60)
  .regex(/^[^,/]*$/, "may not hold a comma or a slash");

interface One {
  Params: { id: string };
}
interface OneTag {
  Params: { id: string; tag: string };
}

/** `/servers/{id}/tags`, from 2.26 on. */
export function serverTagRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { store, servers } = context;
  const own = (request: FastifyRequest<One | OneTag>) => {
    if (request.microversion < 26) throw new ApiError(404, "The resource could not be found.");
    return ownServer(context, request.scope, request.params.id);
  };
  const missing = (id: string, tag: string) => new ApiError(404, `Server ${id} has no tag '${tag}'`);

  app.get<One>("/servers/:id/tags", (request) => ({ tags: own(request).tags }));
  app.put<One>("/servers/:id/tags", (request) => {
    const tags = [...new Set(parseBody(z.strictObject({ tags: z.array(tagSchema).max(50) }), request.body).tags)];
    store.transaction(() => servers.patch(own(request).id, { tags }));
    return { tags };
  });
  app.delete<One>("/servers/:id/tags", (request, reply) => {
    store.transaction(() => servers.patch(own(request).id, { tags: [] }));
    return reply.code(204).send();
  });
  app.get<OneTag>("/servers/:id/tags/:tag", (request, reply) => {
    const { id, tags } = own(request);
    if (!tags.includes(request.params.tag)) throw missing(id, request.params.tag);
    return reply.code(204).send();
  });
  app.put<OneTag>("/servers/:id/tags/:tag", (request, reply) => {
    const tag = parseBody(tagSchema, request.params.tag);
    const had = store.transaction(() => {
      const { id, tags } = own(request);
      servers.patch(id, { tags: [...new Set([...tags, tag])] });
      return tags.includes(tag);
    });
    return reply.code(had ? 204 : 201).send();
  });
  app.delete<OneTag>("/servers/:id/tags/:tag", (request, reply) => {
    store.transaction(() => {
      const { id, tags } = own(request);
      if (!tags.includes(request.params.tag)) throw missing(id, request.params.tag);
      servers.patch(id, { tags: tags.filter((tag) => tag !== request.params.tag) });
    });
    return reply.code(204).send();
  });
}
