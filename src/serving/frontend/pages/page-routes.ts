import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { ServedModel } from "../../routing/question.ts";
import { modelCard } from "../../web/model-card.ts";
import { type ShownTrial, shownTrial } from "../../web/trial.ts";
import { welcome } from "../../web/welcome.ts";
import { type FrontendContext, requireModel } from "../context.ts";
import { goldenChecker } from "../models/golden-check.ts";
import { modelDataReader } from "../models/model-data.ts";
import { versionsOf } from "../models/versions.ts";
import { pageResponse } from "../openapi/openapi.ts";
import type { Hub } from "../processes/hub.ts";
import { versionFiguresIn } from "../releases/read-figures.ts";
import { describing } from "../schemas.ts";
import { askedModelOf, askedModelShape } from "./asked-model.ts";
import { evaluationRoutes } from "./evaluation-routes.ts";
import { formRoutes } from "./form-routes.ts";
import { sendPage } from "./page-reply.ts";

const schemas = {
  welcome: {
    summary: "Which model is ready, and the ways to ask it",
    tags: ["pages"],
    response: { 200: pageResponse() },
  },
  card: {
    summary: "The model card",
    tags: ["pages"],
    querystring: describing(z.object(askedModelShape)),
    response: { 200: pageResponse() },
  },
};

/** The pages for people: `/` and `/model` here, `/predict`, `/predictions` and `/accuracy` in files of their own. */
export function pageRoutes(app: FastifyInstance, context: FrontendContext, hub: Pick<Hub, "figures">): void {
  const read = modelDataReader(context);
  const checkGolden = goldenChecker(context);

  app.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_request, body, done) => {
    done(null, new URLSearchParams(body as string));
  });

  app.get("/", { config: { role: "read" }, schema: schemas.welcome }, async (request, reply) => {
    const served = requireModel(context);
    return sendPage(
      context,
      request,
      reply,
      welcome(served, context.router.models, await read(served), `${request.protocol}://${request.host}`),
    );
  });

  const trialBeside = async (served: ServedModel): Promise<ShownTrial | undefined> => {
    const beside = context.router.trialBeside(served);
    return beside && shownTrial(served, beside, versionFiguresIn(await hub.figures()));
  };

  app.get("/model", { config: { role: "read" }, schema: schemas.card }, async (request, reply) => {
    const asked = askedModelOf(request.query);
    const served = requireModel(context, asked);
    const [data, versions] = await Promise.all([read(served), versionsOf(context, served.model.name)]);
    const golden = await checkGolden(served, data.golden);
    return sendPage(
      context,
      request,
      reply,
      modelCard(context.config, served, data, {
        asked,
        golden,
        versions,
        models: context.router.models,
        trial: await trialBeside(served),
      }),
    );
  });

  formRoutes(app, context, read);
  evaluationRoutes(app, context, read);
}
