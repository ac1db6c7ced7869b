import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { accuracyPage } from "../web/accuracy.ts";
import type { View } from "../web/layout.ts";
import { question } from "../web/notices.ts";
import { predictionsPage } from "../web/predictions.ts";
import { type FrontendContext, requireRowModel } from "./context.ts";
import { type Evaluation, evaluationsOf } from "./evaluation.ts";
import type { ModelDataReader } from "./model-data.ts";
import { sendPage, wantsJson } from "./page-reply.ts";
import { parsePageQuery, select } from "./selection.ts";

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

  app.get("/predictions", async (request, reply) => {
    if (wantsJson(request)) return tellPredictions(await evaluations.compute());
    const query = parsePageQuery(request.query);
    if (Object.values(query).every((value) => value === undefined))
      return ask(request, reply, "Predictions", "Predict");
    const evaluation = await evaluations.last();
    return show(request, reply, predictionsPage(evaluation, select(evaluation, query)));
  });

  app.post("/predictions", async (request, reply) => {
    const evaluation = await evaluations.compute();
    if (wantsJson(request)) return tellPredictions(evaluation);
    return show(request, reply, predictionsPage(evaluation, select(evaluation, {})));
  });

  app.get("/accuracy", async (request, reply) =>
    wantsJson(request)
      ? tellAccuracy(await evaluations.compute())
      : ask(request, reply, "Accuracy", "Compute the accuracy"),
  );

  app.post("/accuracy", async (request, reply) => {
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
