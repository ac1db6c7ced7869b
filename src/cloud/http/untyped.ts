import type { FastifyReply } from "fastify";

/** An answer without a body where the service leaves its type to webob, which says that it is a page. */
export function sendUntyped(reply: FastifyReply, status: number): FastifyReply {
  return reply.code(status).header("content-type", "text/html; charset=UTF-8").send();
}
