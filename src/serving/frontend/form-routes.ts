import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from "fastify";
import { z } from "zod";
import { decide, outputsByClass } from "../models/card.ts";
import { RuntimeError } from "../routing/question.ts";
import { predictRows, type RowAnswer, type RowModel } from "../routing/rows.ts";
import type { Answer } from "../web/answer.ts";
import { rowForm } from "../web/row-form.ts";
import { type FrontendContext, requireLastRowModel, requireRowModel } from "./context.ts";
import { httpErrorOf } from "./errors.ts";
import { type FormRow, isComplete, readFormRow, unsentRow } from "./form-row.ts";
import type { ModelDataReader } from "./model-data.ts";
import { pageResponse } from "./openapi.ts";
import { sendPage } from "./page-reply.ts";
import { describing } from "./schemas.ts";

const exampleSchema = z.object({ row: z.coerce.number().int().positive().optional().catch(undefined) });
const shown = z.object({ row: z.string().optional().describe("the number of a row that travels with the model") });
const form = z.object({ value: z.array(z.string()).describe("one for each feature, in order") });
const schemas: Record<"show" | "send", FastifySchema> = {
  show: {
    summary: "A form for one row",
    tags: ["pages"],
    querystring: describing(shown),
    response: { 200: pageResponse() },
  },
  send: {
    summary: "The form's answer, class by class",
    tags: ["pages"],
    body: { content: { "application/x-www-form-urlencoded": { schema: describing(form) } } },
    response: { 200: pageResponse() },
  },
};

/** `/predict`: a form for one row. `?row=3` fills in the third of the rows that travel with the model. */
export function formRoutes(app: FastifyInstance, context: FrontendContext, read: ModelDataReader): void {
  app.get("/predict", { config: { role: "read" }, schema: schemas.show }, async (request, reply) => {
    const served = requireRowModel(context);
    const { row } = exampleSchema.parse(request.query);
    const example = row === undefined ? undefined : (await read(served)).table.rows[row - 1];
    return show(request, reply, served, unsentRow(example), { example: example && row });
  });

  app.post("/predict", { config: { role: "predict" }, schema: schemas.send }, async (request, reply) => {
    // What is in the form outlasts a runtime that is away for a moment.
    const last = requireLastRowModel(context);
    const { body } = request;
    const row = readFormRow(body instanceof URLSearchParams ? body.getAll("value") : [], last.card.rows.input.features);
    if (!isComplete(row)) return show(request, reply, last, row, {});
    try {
      const answered = await predictRows(context.router, last, Float32Array.from(row.values), 1);
      return show(request, reply, answered.served, row, { answer: answerOf(answered) });
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      const { statusCode, message, retryAfter } = httpErrorOf(error);
      if (retryAfter !== undefined) reply.header("retry-after", retryAfter);
      const problem = `Not at the moment: ${message}. Your values are still here: send them again.`;
      return show(request, reply.code(statusCode), last, { ...row, problem }, {});
    }
  });

  /** What somebody typed is kept nowhere. */
  async function show(
    request: FastifyRequest,
    reply: FastifyReply,
    served: RowModel,
    row: FormRow,
    more: { answer?: Answer | undefined; example?: number | undefined },
  ) {
    const view = rowForm(served, await read(served), row, more.answer, more.example);
    return sendPage(context, request, reply.header("cache-control", "no-store"), view);
  }
}

function answerOf({ served, outputs }: RowAnswer): Answer | undefined {
  const { output } = served.card.rows;
  const [prediction] = decide(output, outputs);
  return prediction && { prediction, outputs: outputsByClass(output, outputs) };
}
