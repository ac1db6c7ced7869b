import type { FastifyInstance } from "fastify";
import { modelCard } from "../web/model-card.ts";
import { welcome } from "../web/welcome.ts";
import { type FrontendContext, requireRowModel } from "./context.ts";
import { evaluationRoutes } from "./evaluation-routes.ts";
import { formRoutes } from "./form-routes.ts";
import { modelDataReader } from "./model-data.ts";
import { pageResponse } from "./openapi.ts";
import { sendPage } from "./page-reply.ts";

const schemas = {
  welcome: {
    summary: "Which model is ready, and the ways to ask it",
    tags: ["pages"],
    response: { 200: pageResponse() },
  },
  card: { summary: "The model card", tags: ["pages"], response: { 200: pageResponse() } },
};

/** The pages for people: `/` and `/model` here, `/predict`, `/predictions` and `/accuracy` in files of their own. */
export function pageRoutes(app: FastifyInstance, context: FrontendContext): void {
  const read = modelDataReader(context);

  app.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_request, body, done) => {
    done(null, new URLSearchParams(body as string));
  });

  app.get("/", { config: { role: "read" }, schema: schemas.welcome }, async (request, reply) => {
    const served = requireRowModel(context);
    const { table } = await read(served);
    return sendPage(context, request, reply, welcome(served, table, `${request.protocol}://${request.host}`));
  });

  app.get("/model", { config: { role: "read" }, schema: schemas.card }, async (request, reply) => {
    const served = requireRowModel(context);
    return sendPage(context, request, reply, modelCard(context.config, served, await read(served)));
  });

  formRoutes(app, context, read);
  evaluationRoutes(app, context, read);
}
