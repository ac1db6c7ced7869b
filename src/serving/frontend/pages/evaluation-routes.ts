import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { accuracyPage } from "../../web/accuracy.ts";
import type { View } from "../../web/layout.ts";
import { question } from "../../web/notices.ts";
import { predictionsPage } from "../../web/predictions.ts";
import { modelIdentity, prediction } from "../answers.ts";
import { type FrontendContext, requireRowModel } from "../context.ts";
import { type Evaluation, evaluationsOf } from "../models/evaluation.ts";
import type { ModelDataReader } from "../models/model-data.ts";
import { pageResponse } from "../openapi/openapi.ts";
import { describing } from "../schemas.ts";
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
const schemas = {
  predictions: {
    summary: "A page of the predictions of the rows that travel with the model",
    description: "Where JSON is asked for, all of them, computed now.",
    tags,
    querystring: describing(pageQuerySchema),
    response: { 200: predictions },
  },
  predict: { summary: "These predictions, computed now", tags, response: { 200: predictions } },
  accuracy: {
    summary: "The question for the accuracy; where JSON is asked for, the answer",
    tags,
    response: { 200: measured },
  },
  measure: { summary: "The accuracy on the rows that travel with the model", tags, response: { 200: measured } },
};

/**
 * `/predictions` and `/accuracy`: GET asks, POST computes, as in the system that they replace; where JSON is asked for, both answer all of
 * it. With `?page`, `?class` or `?only` GET shows a page of the predictions computed last.
 */
export function evaluationRoutes(app: FastifyInstance, context: FrontendContext, read: ModelDataReader): void {
  const evaluations = evaluationsOf(context, read);
  const show = (request: FastifyRequest, reply: FastifyReply, view: View) => sendPage(context, request, reply, view);

  const ask = async (request: FastifyRequest, reply: FastifyReply, title: string, label: string) => {
    const served = requireRowModel(context);
    const { table } = await read(served);
    return show(request, reply, question({ title, label, action: request.url, served, rows: table.rows.length }));
  };

  app.get("/predictions", { config: { role: "predict" }, schema: schemas.predictions }, async (request, reply) => {
    if (wantsJson(request)) return tellPredictions(await evaluations.compute());
    const query = parsePageQuery(request.query);
    if (Object.values(query).every((value) => value === undefined))
      return ask(request, reply, "Predictions", "Predict");
    const evaluation = await evaluations.last();
    return show(request, reply, predictionsPage(evaluation, select(evaluation, query)));
  });

  app.post("/predictions", { config: { role: "predict" }, schema: schemas.predict }, async (request, reply) => {
    const evaluation = await evaluations.compute();
    if (wantsJson(request)) return tellPredictions(evaluation);
    return show(request, reply, predictionsPage(evaluation, select(evaluation, {})));
  });

  app.get("/accuracy", { config: { role: "predict" }, schema: schemas.accuracy }, async (request, reply) =>
    wantsJson(request)
      ? tellAccuracy(await evaluations.compute())
      : ask(request, reply, "Accuracy", "Compute the accuracy"),
  );

  app.post("/accuracy", { config: { role: "predict" }, schema: schemas.measure }, async (request, reply) => {
    const evaluation = await evaluations.compute();
    return wantsJson(request) ? tellAccuracy(evaluation) : show(request, reply, accuracyPage(evaluation));
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
