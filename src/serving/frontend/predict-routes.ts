import type { FastifyInstance } from "fastify";
import { decide } from "../models/card.ts";
import { type FrontendContext, requireHello } from "./context.ts";
import { requireRows } from "./rows.ts";

/** `POST /v1/predict`: predictions for the caller's rows, with the model that made them. */
export function predictRoutes(app: FastifyInstance, context: FrontendContext): void {
  app.post("/v1/predict", async ({ body }) => {
    const { values, rows } = requireRows(body, requireHello(context).card.input, context.limits.requestRows);
    const { outputs, hello } = await context.runtime.predict(values, rows);
    return { model: hello.model, predictions: decide(hello.card.output, outputs) };
  });
}
