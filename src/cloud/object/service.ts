import type { FastifyInstance, FastifyReply } from "fastify";
import { type ApiError, unauthorized } from "../http/api-error.ts";
import { answerFaults } from "../http/faults.ts";
import { escaped } from "../http/pages.ts";
import { readQueryOnce } from "../http/query.ts";
import { reasonPhrase } from "../http/reasons.ts";
import { header, mayAsk } from "../identity/tokens.ts";
import { accountRoutes } from "./accounts.ts";
import { containerRoutes } from "./containers.ts";
import type { ObjectContext, ObjectOptions } from "./context.ts";
import { info } from "./info.ts";
import { objectRoutes } from "./objects.ts";

/** Swift below `/object-store`. Containers may be readable by everyone, so each route asks the ACL by itself. */
export async function objectService(app: FastifyInstance, options: ObjectOptions): Promise<void> {
  const write = (reply: FastifyReply, error: ApiError) => {
    if (error.type === "text") {
      return reply.code(error.status).type("text/plain; charset=UTF-8").send(error.message);
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
  });
  const context: ObjectContext = {
    ...options,
    caller(request) {
      const token = header(request, "x-auth-token") ?? header(request, "x-storage-token");
      if (token === undefined) return undefined;
      const record = options.tokens.find(token);
      if (record === undefined || !mayAsk(record.scope, request, "object-store")) throw unauthorized();
      return record.scope;
    },
  };
  app.get("/info", () => info);
  accountRoutes(app, context);
  containerRoutes(app, context);
  objectRoutes(app, context);
}
