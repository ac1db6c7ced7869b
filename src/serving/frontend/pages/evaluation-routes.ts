import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { takesRows } from "../../models/card.ts";
import type { ServedModel } from "../../routing/question.ts";
import { accuracyPage } from "../../web/accuracy.ts";
import { modelChoices, pageAddress } from "../../web/addresses.ts";
import type { View } from "../../web/layout.ts";
import { question } from "../../web/notices.ts";
import { predictionsPage } from "../../web/predictions.ts";
import { modelIdentity, prediction } from "../answers.ts";
import { type FrontendContext, requireRowModel } from "../context.ts";
import { type Evaluation, evaluationsOf } from "../models/evaluation.ts";
import type { ModelDataReader } from "../models/model-data.ts";
import { pageResponse } from "../openapi/openapi.ts";
import { describing } from "../schemas.ts";
import { askedModelOf, askedModelShape } from "./asked-model.ts";
import { sendPage, wantsJson } from "./page-reply.ts";
import { pageQuerySchema, parsePageQuery, select } from "./selection.ts";

const model = modelIdentity;
const accuracy = z.number().nullable().describe("in percent; null where the rows' true classes are not known");
const label = z.int().optional().describe("the true class, where it is known");
const tags = ["pages"];
const predictions = pageResponse(
  z.object({ model, accuracy, predictions: z.array(prediction.and(z.object({ label }))) }),
);
const measured = pageResponse(z.object({ model, accuracy, rows: z.int() }));
const asked = z.object(askedModelShape);
const schemas = {
  predictions: {
    summary: "A page of the predictions of the rows that travel with the model",
    description: "Where JSON is asked for, all of them, computed now.",
    tags,
    querystring: describing(pageQuerySchema.extend(askedModelShape)),
    response: { 200: predictions },
  },
  predict: {
    summary: "These predictions, computed now",
    tags,
    querystring: describing(asked),
    response: { 200: predictions },
  },
  accuracy: {
    summary: "The question for the accuracy; where JSON is asked for, the answer",
    tags,
    querystring: describing(asked),
    response: { 200: measured },
  },
  measure: {
    summary: "The accuracy on the rows that travel with the model",
    tags,
    querystring: describing(asked),
    response: { 200: measured },
  },
};

/**
 * `/predictions` and `/accuracy`: GET asks, POST computes, as in the system that they replace; where JSON is asked for, both answer all of
 * it. With `?page`, `?class` or `?only` GET shows a page of the predictions computed last.
 */
export function evaluationRoutes(app: FastifyInstance, context: FrontendContext, read: ModelDataReader): void {
  const evaluations = evaluationsOf(context, read);
  const show = (request: FastifyRequest, reply: FastifyReply, view: View) =>
    sendPage(context, request, reply, { ...view, asked: askedModelOf(request.query) });
  const choices = (path: string, { model }: Pick<ServedModel, "model">) =>
    modelChoices(
      path,
      context.router.models.filter(({ card }) => takesRows(card)),
      model,
    );

  const ask = async (request: FastifyRequest, reply: FastifyReply, path: string, title: string, label: string) => {
    const asked = askedModelOf(request.query);
    const served = requireRowModel(context, asked);
    const { table } = await read(served);
    const action = pageAddress(path, asked);
    const rows = table.rows.length;
    return show(request, reply, question({ title, label, action, served, rows, choices: choices(path, served) }));
  };

  const showPredictions = (
    request: FastifyRequest,
    reply: FastifyReply,
    evaluation: Evaluation,
    query: ReturnType<typeof parsePageQuery>,
  ) => {
    const around = { asked: askedModelOf(request.query), choices: choices("/predictions", evaluation) };
    return show(request, reply, predictionsPage(evaluation, select(evaluation, query), around));
  };

  app.get("/predictions", { config: { role: "predict" }, schema: schemas.predictions }, async (request, reply) => {
    const asked = askedModelOf(request.query);
    if (wantsJson(request)) return tellPredictions(await evaluations.compute(asked));
    const query = parsePageQuery(request.query);
    if (Object.values(query).every((value) => value === undefined))
      return ask(request, reply, "/predictions", "Predictions", "Predict");
    return showPredictions(request, reply, await evaluations.last(asked), query);
  });

  app.post("/predictions", { config: { role: "predict" }, schema: schemas.predict }, async (request, reply) => {
    const evaluation = await evaluations.compute(askedModelOf(request.query));
    return wantsJson(request) ? tellPredictions(evaluation) : showPredictions(request, reply, evaluation, {});
  });

  app.get("/accuracy", { config: { role: "predict" }, schema: schemas.accuracy }, async (request, reply) =>
    wantsJson(request)
      ? tellAccuracy(await evaluations.compute(askedModelOf(request.query)))
      : ask(request, reply, "/accuracy", "Accuracy", "Compute the accuracy"),
  );

  app.post("/accuracy", { config: { role: "predict" }, schema: schemas.measure }, async (request, reply) => {
    const asked = askedModelOf(request.query);
    const evaluation = await evaluations.compute(asked);
    if (wantsJson(request)) return tellAccuracy(evaluation);
    return show(request, reply, accuracyPage(evaluation, { asked, choices: choices("/accuracy", evaluation) }));
  });
}

function tellAccuracy({ model, accuracy, predictions }: Evaluation) {
  return { model, accuracy: accuracy ?? null, rows: predictions.length };
}

function tellPredictions({ model, accuracy, predictions, labels }: Evaluation) {
  return {
    model,
    accuracy: accuracy ?? null,
    predictions: predictions.map((prediction, row) => ({ ...prediction, ...(labels && { label: labels[row] }) })),
  };
}
