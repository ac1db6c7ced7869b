import type { IncomingHttpHeaders } from "node:http";
import type { FastifyInstance, FastifyReply } from "fastify";
import type { ApiError } from "../http/api-error.ts";
import { answerFaults } from "../http/faults.ts";
import { percentDecoded, textOf } from "../http/percent.ts";
import { readQueryOnce } from "../http/query.ts";
import { header, mayAsk } from "../identity/tokens.ts";
import { accountRoutes } from "./accounts.ts";
import { containerRoutes } from "./containers.ts";
import type { ObjectContext, ObjectOptions } from "./context.ts";
import { Expirer } from "./expirer.ts";
import { info } from "./info.ts";
import { objectRoutes } from "./objects.ts";
import { bareRefusal, htmlType, refusal, statusPage } from "./refusals.ts";
import { bearerOf, isTemporaryUrl, keepTemporaryUrlOnly, type TemporaryUrlQuery } from "./temporary-url.ts";

/**
 * Users' pages come from the same address as the rest of the cloud, its dashboard too: a browser gives them an origin of their own, and lets
 * them do what pages do otherwise.
 */
const noOriginPolicy = "sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts";

/** Who has a temporary address is not asked to log in. */
function challengeOf(reply: FastifyReply): string {
  const { query, url } = reply.request;
  if (isTemporaryUrl(query as TemporaryUrlQuery)) return 'Swift realm="unknown"';
  const [, account = "unknown"] = /\/v1\/([^/?]+)/.exec(url) ?? [];
  return `Swift realm="${account}", ${reply.getHeader("www-authenticate")}`;
}

/** Clients of Swift are told what Swift tells them. A browser says what it will do with an answer, or that it takes pages. */
function isBrowser({ accept, ...headers }: IncomingHttpHeaders): boolean {
  return headers["sec-fetch-dest"] !== undefined || accept?.includes("html") === true;
}

/** Swift below `/object-store`. Containers may be readable by everyone, so each route asks the ACL by itself. */
export async function objectService(app: FastifyInstance, options: ObjectOptions): Promise<void> {
  const write = (reply: FastifyReply, error: ApiError) => {
    if (error.status === 401) reply.header("www-authenticate", challengeOf(reply));
    if (error.type === "text" || error.type === "html") {
      const type = error.type === "text" ? "text/plain" : htmlType;
      return reply.code(error.status).header("content-type", type).send(Buffer.from(error.message));
    }
    return reply.code(error.status).type(htmlType).send(statusPage(error.status, error.message));
  };
  answerFaults(app, write, options.log, { bodyLimit: null });
  readQueryOnce(app);
  app.addHttpMethod("COPY");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
  app.addHook("onRequest", async (request, reply) => {
    const id = request.id.replace(/^req-/, "tx");
    reply.header("x-trans-id", id).header("x-openstack-request-id", id);
    if (isBrowser(request.headers)) reply.header("content-security-policy", noOriginPolicy);
    // gophercloud sends an empty type with each change of a container; for Swift that is none
    if (request.headers["content-type"] === "") delete request.headers["content-type"];
    const [path = ""] = request.originalUrl.split("?", 1);
    if (textOf(percentDecoded(path)) === undefined) throw bareRefusal(412, "Invalid UTF8 or contains NULL");
    if (/^\/object-store\/(?!v1\/)[^/]+\/[^/]/.test(path)) throw refusal(400); // another version's
    if (/^\/object-store\/v1\/[^/]+\/\/./.test(path)) throw bareRefusal(412, "Bad URL");
    const query = request.query as Record<string, unknown>;
    if (isTemporaryUrl(query)) keepTemporaryUrlOnly(query);
  });
  // headers are bytes as they came; beside a text as body Node would send them in UTF-8 once more
  app.addHook("onSend", async (_request, reply, payload) => {
    const type = reply.getHeader("content-type") ?? htmlType;
    // Fastify takes the type away where there is no content, Swift tells it
    if (reply.statusCode === 204) reply.raw.setHeader("content-type", String(type));
    else reply.header("content-type", type);
    return typeof payload === "string" ? Buffer.from(payload) : payload;
  });
  const expirer = new Expirer(options);
  expirer.run();
  const context: ObjectContext = {
    ...options,
    expirer,
    caller(request, as = request) {
      if (isTemporaryUrl(request.query as TemporaryUrlQuery)) return bearerOf(options.tables, request);
      const referer = header(request, "referer");
      const scope = options.tokens.find(header(request, "x-auth-token") ?? header(request, "x-storage-token"))?.scope;
      if (scope === undefined || !mayAsk(scope, as, "object-store")) return { kind: "nobody", referer };
      return { kind: "token", scope, referer };
    },
  };
  app.get("/info", (_request, reply) => reply.type("application/json; charset=UTF-8").send(JSON.stringify(info)));
  accountRoutes(app, context);
  containerRoutes(app, context);
  objectRoutes(app, context);
}
