import type { FastifyInstance, FastifyReply } from "fastify";
import type { ApiError } from "../http/api-error.ts";
import { answerFaults } from "../http/faults.ts";
import { escaped } from "../http/pages.ts";
import { percentDecoded, textOf } from "../http/percent.ts";
import { readQueryOnce } from "../http/query.ts";
import { reasonPhrase } from "../http/reasons.ts";
import { header, mayAsk } from "../identity/tokens.ts";
import { accountRoutes } from "./accounts.ts";
import { containerRoutes } from "./containers.ts";
import type { ObjectContext, ObjectOptions } from "./context.ts";
import { info } from "./info.ts";
import { objectRoutes } from "./objects.ts";
import { bareRefusal } from "./refusals.ts";
import { bearerOf, isTemporaryUrl, keepTemporaryUrlOnly, type TemporaryUrlQuery } from "./temporary-url.ts";

/** Swift below `/object-store`. Containers may be readable by everyone, so each route asks the ACL by itself. */
export async function objectService(app: FastifyInstance, options: ObjectOptions): Promise<void> {
  const write = (reply: FastifyReply, error: ApiError) => {
    if (error.type === "text" || error.type === "html") {
      const type = error.type === "text" ? "text/plain" : "text/html";
      return reply.code(error.status).type(`${type}; charset=UTF-8`).send(error.message);
    }
    const title = reasonPhrase[error.status] ?? "Error";
    reply.code(error.status).type("text/html; charset=UTF-8");
    return reply.send(`<html><h1>${title}</h1><p>${escaped(error.message)}</p></html>`);
  };
  answerFaults(app, write, options.log, { bodyLimit: null });
  readQueryOnce(app);
  app.addHttpMethod("COPY");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
  app.addHook("onRequest", async (request, reply) => {
    const id = request.id.replace(/^req-/, "tx");
    reply.header("x-trans-id", id).header("x-openstack-request-id", id);
    // gophercloud sends an empty type with each change of a container; for Swift that is none
    if (request.headers["content-type"] === "") delete request.headers["content-type"];
    const [path = ""] = request.originalUrl.split("?", 1);
    if (textOf(percentDecoded(path)) === undefined) throw bareRefusal(412, "Invalid UTF8 or contains NULL");
    const query = request.query as Record<string, unknown>;
    if (isTemporaryUrl(query)) keepTemporaryUrlOnly(query);
  });
  // headers are bytes as they came; beside a text as body Node would send them in UTF-8 once more
  app.addHook("onSend", async (_request, _reply, payload) =>
    typeof payload === "string" ? Buffer.from(payload) : payload,
  );
  const context: ObjectContext = {
    ...options,
    caller(request, as = request) {
      if (isTemporaryUrl(request.query as TemporaryUrlQuery)) return bearerOf(options.tables, request);
      const referer = header(request, "referer");
      const scope = options.tokens.find(header(request, "x-auth-token") ?? header(request, "x-storage-token"))?.scope;
      if (scope === undefined || !mayAsk(scope, as, "object-store")) return { kind: "nobody", referer };
      return { kind: "token", scope, referer };
    },
  };
  app.get("/info", () => info);
  accountRoutes(app, context);
  containerRoutes(app, context);
  objectRoutes(app, context);
}
