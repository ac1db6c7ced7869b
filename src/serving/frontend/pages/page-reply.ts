import type { FastifyReply, FastifyRequest } from "fastify";
import { contentSecurityPolicy, page, type View } from "../../web/layout.ts";
import { failure } from "../../web/notices.ts";
import type { FrontendContext } from "../context.ts";
import type { HttpError } from "../errors.ts";

export function wantsJson({ headers }: FastifyRequest): boolean {
  return headers.accept?.includes("application/json") ?? false;
}

/** Sends a page. Unless the caller says otherwise it may be shown again by Back, and is asked for anew by everything else. */
export function sendPage(
  { config }: FrontendContext,
  request: FastifyRequest,
  reply: FastifyReply,
  view: View,
): FastifyReply {
  if (!reply.hasHeader("cache-control")) reply.header("cache-control", "no-cache");
  return reply
    .type("text/html; charset=utf-8")
    .headers({
      "content-security-policy": contentSecurityPolicy(view),
      "cross-origin-resource-policy": "same-origin",
      "referrer-policy": "no-referrer",
      "x-frame-options": "DENY",
      vary: "accept",
    })
    .send(page(config, request.url.replace(/\?.*/, ""), view));
}

/** An error where a page was asked for. */
export function sendFailurePage(
  context: FrontendContext,
  request: FastifyRequest,
  reply: FastifyReply,
  error: HttpError,
): FastifyReply {
  const again = error.retryAfter !== undefined && request.method === "GET" ? request.url : undefined;
  return sendPage(context, request, reply, failure(error.statusCode, error.message, again));
}
