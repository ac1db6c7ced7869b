import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import multipart from "@fastify/multipart";
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from "fastify";
import { z } from "zod";
import { modelLimitsOf } from "../config.ts";
import { decide } from "../models/card.ts";
import type { ModelIdentity } from "../models/registry.ts";
import { predictRows, type RowModel } from "../routing/rows.ts";
import { predictionsAnswer, rowsBody } from "./answers.ts";
import { frontendSettingsOf } from "./config.ts";
import { type FrontendContext, requireRowModel } from "./context.ts";
import { answerTable } from "./csv-answer.ts";
import { rowsOfCsv } from "./csv-rows.ts";
import { HttpError } from "./errors.ts";
import { idempotencyKeyOf } from "./idempotency.ts";
import { requireRows } from "./rows.ts";
import { describing } from "./schemas.ts";

/** Rows of a table that are computed together. */
const CHUNK_ROWS = 1024;

const table = describing(z.string().describe("one row a line; a header is optional"));
const upload = describing(z.object({ file: z.string().meta({ contentMediaType: "text/csv" }) }));
const schema: FastifySchema = {
  summary: "Predictions for rows",
  description:
    "A table (CSV, of any length) is answered line by line while it is read; an answer that breaks off says why in its last line.",
  tags: ["predictions"],
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
export async function predictRoutes(app: FastifyInstance, context: FrontendContext): Promise<void> {
  const { csvBytes, requestTimeoutMs } = frontendSettingsOf(context.config);
  app.addContentTypeParser("text/csv", (_request, payload, done) => done(null, payload));
  await app.register(multipart, { limits: { fileSize: csvBytes + 1, files: 1, fields: 20 } });

  const answerTableIn = async (request: FastifyRequest, reply: FastifyReply, model: RowModel) => {
    const limits = { bytes: csvBytes, chunkRows: CHUNK_ROWS, timeoutMs: requestTimeoutMs };
    const rows = rowsOfCsv(await requireTable(request, reply, requestTimeoutMs), model.card.rows.input, limits);
    return answerTable(context, request, reply, model, rows, requestTimeoutMs);
  };

  app.post("/v1/predict", { config: { role: "predict" }, schema }, (request, reply) => {
    const model = requireRowModel(context);
    if (request.body instanceof Readable || request.isMultipart()) return answerTableIn(request, reply, model);
    const { requestRows } = modelLimitsOf(context.config, model.model.name);
    const { values, rows } = requireRows(request.body, model.card.rows.input, requestRows);
    // promises chained by hand and an answer that is text already: this is the way of every prediction
    return predictRows(context.router, model, values, rows, { key: idempotencyKeyOf(request) }).then(
      ({ outputs, served }) => {
        const predictions = JSON.stringify(decide(served.card.rows.output, outputs));
        reply.type("application/json; charset=utf-8");
        return `{"model":${textOf(served.model)},"predictions":${predictions}}`;
      },
    );
  });
}

/** The table that a request brings. Throws HttpError 400, 408. */
async function requireTable(request: FastifyRequest, reply: FastifyReply, timeoutMs: number): Promise<Readable> {
  if (request.body instanceof Readable) return request.body;
  const stop = new AbortController();
  const late = sleep(timeoutMs, "late" as const, { signal: stop.signal });
  const file = request.file().catch((error: Error & { statusCode?: number }) => {
    // the library has errors with a status, and plain ones for what is no form at all
    if (error.statusCode !== undefined) throw error;
    throw new HttpError(400, "CSV_INVALID", `the form cannot be read: ${error.message}`);
  });
  late.catch(() => undefined);
  file.catch(() => undefined);
  const part = await Promise.race([file, late]).finally(() => stop.abort());
  if (part !== "late" && part !== undefined) return part.file;
  reply.header("connection", "close"); // the form's rest is of no interest
  throw part === "late"
    ? new HttpError(408, "REQUEST_TIMEOUT", `the form's file did not come within ${timeoutMs / 1000} s`)
    : new HttpError(400, "CSV_INVALID", "the form has no file");
}

function textOf(model: ModelIdentity): string {
  let text = texts.get(model);
  if (text === undefined) {
    text = JSON.stringify(model);
    texts.set(model, text);
  }
  return text;
}
