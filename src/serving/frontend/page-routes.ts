import type { FastifyInstance } from "fastify";
import { modelCard } from "../web/model-card.ts";
import { welcome } from "../web/welcome.ts";
import { type FrontendContext, requireRowModel } from "./context.ts";
import { evaluationRoutes } from "./evaluation-routes.ts";
import { formRoutes } from "./form-routes.ts";
import { modelDataReader } from "./model-data.ts";
import { sendPage } from "./page-reply.ts";

/** The pages for people: `/` and `/model` here, `/predict`, `/predictions` and `/accuracy` in files of their own. */
export function pageRoutes(app: FastifyInstance, context: FrontendContext): void {
  const read = modelDataReader(context);

  app.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_request, body, done) => {
    done(null, new URLSearchParams(body as string));
  });

  app.get("/", async (request, reply) => {
    const served = requireRowModel(context);
    const { table } = await read(served);
    return sendPage(context, request, reply, welcome(served, table, `${request.protocol}://${request.host}`));
  });

  app.get("/model", async (request, reply) => {
    const served = requireRowModel(context);
    return sendPage(context, request, reply, modelCard(context.config, served, await read(served)));
  });

  formRoutes(app, context, read);
  evaluationRoutes(app, context, read);
}
