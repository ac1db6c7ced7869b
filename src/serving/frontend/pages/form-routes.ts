import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from "fastify";
import { z } from "zod";
import { CANARY_HEADER } from "../../canary-header.ts";
import { decide, outputsByClass, takesRows } from "../../models/card.ts";
import { RuntimeError, type ServedModel, type TrialChoice } from "../../routing/question.ts";
import { predictRows, type RowAnswer, type RowModel } from "../../routing/rows.ts";
import type { Answer } from "../../web/answer.ts";
import type { View } from "../../web/layout.ts";
import { questionForm } from "../../web/question-form.ts";
import { rowForm } from "../../web/row-form.ts";
import { type AskedModel, type FrontendContext, requireLastModel, requireModel } from "../context.ts";
import { HttpError, httpErrorOf } from "../errors.ts";
import type { ModelDataReader } from "../models/model-data.ts";
import { pageResponse } from "../openapi/openapi.ts";
import { askQuestion } from "../predictions/ask-question.ts";
import { describing } from "../schemas.ts";
import { trialChoiceOf } from "../trials/choice.ts";
import { askedModelOf, askedModelShape } from "./asked-model.ts";
import { type FormRow, isComplete, readFormRow, unsentRow } from "./form-row.ts";
import { sendPage } from "./page-reply.ts";
import { questionFields, readQuestion, unsentQuestion } from "./question-form.ts";

const querySchema = z.object({ row: z.coerce.number().int().positive().optional().catch(undefined) });
const shown = z.object({
  ...askedModelShape,
  row: z.string().optional().describe("the number of a row that travels with the model"),
});
const form = z.object({ value: z.array(z.string()).describe("one for each field, in order") });
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
    querystring: describing(z.object(askedModelShape)),
    body: { content: { "application/x-www-form-urlencoded": { schema: describing(form) } } },
    response: { 200: pageResponse() },
  },
};

/** `/predict`: a form for one row, or for one question to a model that takes none. `?row=3` fills in the third of the rows that travel with it. */
export function formRoutes(app: FastifyInstance, context: FrontendContext, read: ModelDataReader): void {
  app.get("/predict", { config: { role: "read" }, schema: schemas.show }, async (request, reply) => {
    const { row } = querySchema.parse(request.query);
    const asked = askedModelOf(request.query);
    const served = requireModel(context, asked);
    if (!isRowModel(served)) {
      const fields = questionFields(served.card, (await read(served)).golden);
      return sendForm(request, reply, questionForm(served, fields, unsentQuestion(fields), asked));
    }
    const example = row === undefined ? undefined : (await read(served)).table.rows[row - 1];
    return show(request, reply, served, unsentRow(example), { example: example && row, asked });
  });

  app.post("/predict", { config: { role: "predict" }, schema: schemas.send }, async (request, reply) => {
    // What is in the form outlasts a runtime that is away for a moment.
    const asked = askedModelOf(request.query);
    const last = asked.version === undefined ? requireLastModel(context, asked.name) : requireModel(context, asked);
    const body = request.body instanceof URLSearchParams ? request.body : new URLSearchParams();
    if (!isRowModel(last)) return answerQuestion(request, reply, last, body);
    const row = readFormRow(body.getAll("value"), last.card.rows.input.features);
    if (!isComplete(row)) return show(request, reply, last, row, { asked });
    try {
      const answered = await predictRows(context.router, last, Float32Array.from(row.values), 1, {
        trial: trialOf(request),
      });
      return show(request, reply, answered.served, row, { answer: answerOf(answered), asked });
    } catch (error) {
      const problem = problemOf(reply, error);
      return show(request, reply, last, { ...row, problem }, { asked });
    }
  });

  async function answerQuestion(
    request: FastifyRequest,
    reply: FastifyReply,
    served: ServedModel,
    body: URLSearchParams,
  ): Promise<FastifyReply> {
    const asked = askedModelOf(request.query);
    const fields = questionFields(served.card, (await read(served)).golden);
    const typed = readQuestion(fields, body);
    if (!typed.values) return sendForm(request, reply, questionForm(served, fields, typed, asked));
    try {
      const { text, served: answered } = await askQuestion(context, served, typed.values, trialOf(request));
      return sendForm(request, reply, questionForm(answered, fields, typed, asked, { answer: text }));
    } catch (error) {
      const problem = problemOf(reply, error);
      return sendForm(request, reply, questionForm(served, fields, typed, asked, { problem }));
    }
  }

  /** What somebody typed is kept nowhere. */
  function sendForm(request: FastifyRequest, reply: FastifyReply, view: View): FastifyReply {
    const asked = askedModelOf(request.query);
    return sendPage(context, request, reply.header("cache-control", "no-store"), { ...view, asked });
  }

  async function show(
    request: FastifyRequest,
    reply: FastifyReply,
    served: RowModel,
    row: FormRow,
    more: { answer?: Answer | undefined; example?: number | undefined; asked: AskedModel },
  ) {
    return sendForm(request, reply, rowForm(served, await read(served), row, more));
  }
}

/** How a version on trial takes part: not at all in what is asked of a version by its name. */
function trialOf({ query, headers }: FastifyRequest): TrialChoice | undefined {
  return askedModelOf(query).version === undefined ? trialChoiceOf(headers[CANARY_HEADER]) : undefined;
}

/** Why there is no answer, for whoever asked; the reply gets its status. Throws what is no such reason. */
function problemOf(reply: FastifyReply, error: unknown): string {
  if (!(error instanceof RuntimeError || error instanceof HttpError)) throw error;
  const { statusCode, message, retryAfter } = httpErrorOf(error);
  reply.code(statusCode);
  if (retryAfter === undefined && statusCode < 500) return `${message}.`;
  if (retryAfter !== undefined) reply.header("retry-after", retryAfter);
  return `Not at the moment: ${message}. Your values are still here: send them again.`;
}

function isRowModel(served: ServedModel): served is RowModel {
  return takesRows(served.card);
}

function answerOf({ served, outputs }: RowAnswer): Answer | undefined {
  const { output } = served.card.rows;
  const [prediction] = decide(output, outputs);
  return prediction && { prediction, outputs: outputsByClass(output, outputs) };
}
