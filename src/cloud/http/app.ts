import { randomUUID } from "node:crypto";
import Fastify, { type FastifyInstance } from "fastify";
import type { Scope } from "../identity/scope.ts";
import { acceptJson } from "./json-body.ts";
import type { Route } from "./routes.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who asks; set by `requireToken` before the handler runs. */
    scope: Scope;
    /** Nova's microversion, minor number of 2.N. */
    microversion: number;
  }
  interface FastifyInstance {
    /** What is answered, in the order of registration. */
    readonly routes: readonly Route[];
  }
}
/**
 * The HTTP application that all services share: request ids, tolerant JSON bodies, trailing slashes.
 * @param bodyLimit bytes; object and image uploads are streams and not limited by it
 */
export function createApp(bodyLimit = 1024 * 1024): FastifyInstance {
  const app = Fastify({
    bodyLimit,
    genReqId: () => `req-${randomUUID()}`,
    rewriteUrl: (request) => cleaned(request.url ?? "/"),
    routerOptions: { maxParamLength: 2048 },
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    return503OnClosing: true,
  });
  const routes: Route[] = [];
  app.decorate("routes", routes);
  app.addHook("onRoute", ({ method, url }) => {
    routes.push(...[method].flat().map((one) => ({ method: one, path: url })));
  });
  app.decorateRequest("scope", null as unknown as Scope); // set per request before any handler that reads it
  app.decorateRequest("microversion", 1);
  app.addHook("onRequest", async (request, reply) => {
    if (!isVersionList.test(request.url)) reply.header("x-openstack-request-id", request.id);
  });
  app.addHook("onSend", async (request, reply) => {
    // Cinder was a part of Nova; what its libraries answer by themselves has another type than JSON, and none
    if (
      request.url.startsWith("/volume/") &&
      !(reply.statusCode < 400 && isWebobs.test(String(reply.getHeader("content-type"))))
    ) {
      reply.header("x-compute-request-id", request.id);
    }
    if (reply.getHeader("content-type") === "application/json; charset=utf-8") {
      reply.header("content-type", jsonType(request.url, reply.statusCode));
    }
  });
  acceptJson(app, "application/json");
  return app;
}

const isWebobs = /^text\/(html|plain)/;

/** Glance and Neutron answer these before they number a request. */
const isVersionList = /^\/(image|network)\/?(versions)?(\?|$)/;

/** How the services themselves write the type of JSON: Swift and Nova's refusals alone name a charset. */
function jsonType(url: string, status: number): string {
  if (url.startsWith("/object-store/")) return "application/json; charset=utf-8";
  return url.startsWith("/compute/") && status >= 400 ? "application/json; charset=UTF-8" : "application/json";
}

/**
 * Objects' names may end in a slash, everything else answers with and without it. Where the path's percent encoding is wrong it stands for
 * itself, as it does for WSGI.
 */
function cleaned(url: string): string {
  const at = url.indexOf("?");
  const [path, query] = at === -1 ? [url, ""] : [url.slice(0, at), url.slice(at)];
  const literal = path.replace(/%(?![0-9a-f]{2})/gi, "%25");
  const decodable = isDecodable(literal) ? literal : encodeURI(path).replace(/%25(?=[0-7][0-9a-f])/gi, "%");
  return (isObject.test(path) ? decodable : decodable.replace(/(?<=.)(?<!\/)\/+$/, "")) + query;
}

/** A path that goes on behind the container. */
const isObject = /^\/object-store\/v1\/[^/]*\/[^/]*\/./;

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
