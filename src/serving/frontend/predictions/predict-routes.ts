import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from "fastify";
import { z } from "zod";
import { CANARY_HEADER } from "../../canary-header.ts";
import { modelLimitsOf } from "../../config.ts";
import { decide } from "../../models/card.ts";
import type { ModelIdentity } from "../../models/registry.ts";
import { type RowModel, rowAnswerOf } from "../../routing/rows.ts";
import { rowsOfCsv } from "../../tables/csv-rows.ts";
import { floatRows } from "../../tensors/raw-tensor.ts";
import { predictionsAnswer, rowsBody } from "../answers.ts";
import { frontendSettingsOf } from "../config.ts";
import { type FrontendContext, requireRowModel } from "../context.ts";
import { HttpError } from "../errors.ts";
import { idempotencyKeyOf, refuseKey, requireKeptKey } from "../idempotency.ts";
import { fileOfForm } from "../pages/form-file.ts";
import { describing } from "../schemas.ts";
import { canaryHeader, trialChoiceOf } from "../trials/choice.ts";
import { answerTable } from "./csv-answer.ts";
import { requireRows } from "./rows.ts";

/** Rows of a table that are computed together. */
const CHUNK_ROWS = 1024;

const table = describing(z.string().describe("one row a line; a header is optional"));
const upload = describing(z.object({ file: z.string().meta({ contentMediaType: "text/csv" }) }));
const schema: FastifySchema = {
  summary: "Predictions for rows",
  description:
    "A table (CSV, of any length) is answered line by line while it is read; an answer that breaks off says why in its last line.",
  tags: ["predictions"],
  headers: describing(z.object(canaryHeader)),
  body: {
    content: {
      "application/json": { schema: rowsBody },
      "text/csv": { schema: table },
      "multipart/form-data": { schema: upload },
    },
  },
  response: {
    200: {
      description: "one prediction for each row, in order; tables are answered as tables",
      content: {
        "application/json": { schema: predictionsAnswer },
        "text/csv": { schema: z.string() },
        "application/x-ndjson": { schema: z.string() },
      },
    },
  },
};

/** The text of a model's identity, which is a good part of every answer's. */
const texts = new WeakMap<ModelIdentity, string>();

/** `POST /v1/predict`: predictions for the caller's rows, with the model that made them. */
export function predictRoutes(app: FastifyInstance, context: FrontendContext): void {
  const { csvBytes, requestTimeoutMs } = frontendSettingsOf(context.config);
  app.addContentTypeParser(["text/csv", "multipart/form-data"], (_request, payload, done) => done(null, payload));

  const answerTableIn = async (request: FastifyRequest, body: Readable, reply: FastifyReply, model: RowModel) => {
    const limits = { bytes: csvBytes, chunkRows: CHUNK_ROWS, timeoutMs: requestTimeoutMs };
    const isForm = /^multipart\//i.test(request.headers["content-type"] ?? "");
    const file = isForm ? fileOfForm(request.headers, body, csvBytes) : Promise.resolve(body);
    const rows = rowsOfCsv(await inTime(file, reply, requestTimeoutMs), model.card.rows.input, limits);
    return answerTable(context, request, reply, model, rows, requestTimeoutMs);
  };

  app.post("/v1/predict", { config: { role: "predict" }, schema }, (request, reply) => {
    const model = requireRowModel(context);
    const key = requireKeptKey(context.config, model, idempotencyKeyOf(request));
    if (request.body instanceof Readable) {
      refuseKey(key, "a table");
      return answerTableIn(request, request.body, reply, model);
    }
    const { requestRows } = modelLimitsOf(context.config, model.model.name);
    const { values, rows } = requireRows(request.body, model.card.rows.input, requestRows);
    // promises chained by hand and an answer that is text already: this is the way of every prediction
    const trial = trialChoiceOf(request.headers[CANARY_HEADER]);
    const asked = context.router.predict(model, [floatRows(values, rows)], { key, trial });
    return asked.then((answer) => {
      const { outputs, served } = rowAnswerOf(answer);
      const predictions = JSON.stringify(decide(served.card.rows.output, outputs));
      reply.header("content-type", "application/json; charset=utf-8");
      return `{"model":${textOf(served.model)},"predictions":${predictions}}`;
    });
  });
}

/** A table that begins to arrive. What is left of a form that does not hold one is of no interest. Rejects with HttpError 400, 408. */
async function inTime(table: Promise<Readable>, reply: FastifyReply, timeoutMs: number): Promise<Readable> {
  const stop = new AbortController();
  const late = sleep(timeoutMs, "late" as const, { signal: stop.signal });
  late.catch(() => undefined);
  try {
    const found = await Promise.race([table, late]);
    if (found !== "late") return found;
    table.catch(() => undefined);
    throw new HttpError(408, "REQUEST_TIMEOUT", `the form's file did not come within ${timeoutMs / 1000} s`);
  } catch (error) {
    reply.header("connection", "close");
    throw error;
  } finally {
    stop.abort();
  }
}

function textOf(model: ModelIdentity): string {
  let text = texts.get(model);
  if (text === undefined) {
    text = JSON.stringify(model);
    texts.set(model, text);
  }
  return text;
}
