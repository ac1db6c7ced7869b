import type { FastifyReply, FastifyRequest } from "fastify";
import { loginForm } from "../web/login.ts";
import type { FrontendContext } from "./context.ts";
import type { HttpError } from "./errors.ts";
import { sendFailurePage, sendPage, wantsJson } from "./pages/page-reply.ts";

/** Sends an error in the form that the route's protocol has for it. */
export function sendFailure(
  context: FrontendContext,
  request: FastifyRequest,
  reply: FastifyReply,
  failure: HttpError,
): FastifyReply {
  const { statusCode, code, message, retryAfter } = failure;
  reply.code(statusCode);
  if (retryAfter !== undefined) reply.header("retry-after", retryAfter);
  if (request.url.startsWith("/v2")) {
    // as bytes, which get no charset: KServe's client reads the message of "application/json" alone
    return reply.type("application/json").send(Buffer.from(JSON.stringify({ error: message })));
  }
  if (request.headers.accept?.includes("text/html") && !wantsJson(request)) {
    if (statusCode === 401) return sendPage(context, request, reply, loginForm(request.url, message));
    return sendFailurePage(context, request, reply, failure);
  }
  return reply.send({ error: { code, message, requestId: request.id } });
}
