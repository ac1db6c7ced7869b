import { randomUUID } from "node:crypto";
import Fastify, { type FastifyInstance } from "fastify";
import type { Scope } from "../identity/scope.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who asks; set by `requireToken` before the handler runs. */
    scope: Scope;
    /** Nova's microversion, minor number of 2.N. */
    microversion: number;
  }
}

/**
 * The HTTP application that all services share: request ids, tolerant JSON bodies, trailing slashes.
 * @param bodyLimit bytes; object and image uploads are streams and not limited by it
 */
export function createApp(bodyLimit = 8 * 1024 * 1024): FastifyInstance {
  const app = Fastify({
    bodyLimit,
    genReqId: () => `req-${randomUUID()}`,
    rewriteUrl: (request) => withoutTrailingSlash(request.url ?? "/"),
    routerOptions: { maxParamLength: 2048 },
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    return503OnClosing: true,
  });
  app.decorateRequest("scope", null as unknown as Scope); // set per request before any handler that reads it
  app.decorateRequest("microversion", 1);
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-openstack-request-id", request.id);
  });
  acceptJson(app, "application/json");
  return app;
}

/** Parses bodies of this type as JSON; an empty body is none: clients send DELETE with a content type and nothing else. */
export function acceptJson(app: FastifyInstance, contentType: string | RegExp): void {
  app.addContentTypeParser(contentType, { parseAs: "string" }, (_request, text, done) => {
    if (text.length === 0) return done(null, undefined);
    try {
      done(null, JSON.parse(String(text)));
    } catch (error) {
      done(
        Object.assign(new Error(`Malformed request body: ${(error as Error).message}`), { statusCode: 400 }),
        undefined,
      );
    }
  });
}

/** Object names may end in a slash, everything else answers with and without it. */
function withoutTrailingSlash(url: string): string {
  if (url.startsWith("/object-store/")) return url;
  const [path = "", query] = url.split("?", 2);
  const trimmed = path.length > 1 ? path.replace(/\/+$/, "") : path;
  return query === undefined ? trimmed : `${trimmed}?${query}`;
}
