import type { FastifyInstance } from "fastify";
import { decide } from "../models/card.ts";
import { predictRows } from "../routing/rows.ts";
import { predictionsAnswer, rowsBody } from "./answers.ts";
import { type FrontendContext, requireRowModel } from "./context.ts";
import { requireRows } from "./rows.ts";

/** `POST /v1/predict`: predictions for the caller's rows, with the model that made them. */
export function predictRoutes(app: FastifyInstance, context: FrontendContext): void {
  const schema = {
    summary: "Predictions for rows",
    tags: ["predictions"],
    body: rowsBody,
    response: { 200: predictionsAnswer },
  };
  app.post("/v1/predict", { config: { role: "predict" }, schema }, async ({ body }) => {
    const model = requireRowModel(context);
    const { values, rows } = requireRows(body, model.card.rows.input, context.limits.requestRows);
    const { outputs, served } = await predictRows(context.router, model, values, rows);
    return { model: served.model, predictions: decide(served.card.rows.output, outputs) };
  });
}
