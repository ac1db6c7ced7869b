import { Readable } from "node:stream";
import multipart from "@fastify/multipart";
import type { FastifyInstance, FastifyRequest, FastifySchema } from "fastify";
import { z } from "zod";
import { decide } from "../models/card.ts";
import { predictRows } from "../routing/rows.ts";
import { predictionsAnswer, rowsBody } from "./answers.ts";
import { frontendSettingsOf } from "./config.ts";
import { type FrontendContext, requireRowModel } from "./context.ts";
import { answerTable } from "./csv-answer.ts";
import { rowsOfCsv } from "./csv-rows.ts";
import { HttpError } from "./errors.ts";
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

/** `POST /v1/predict`: predictions for the caller's rows, with the model that made them. */
export async function predictRoutes(app: FastifyInstance, context: FrontendContext): Promise<void> {
  const { csvBytes, requestTimeoutMs } = frontendSettingsOf(context.config);
  app.addContentTypeParser("text/csv", (_request, payload, done) => done(null, payload));
  await app.register(multipart, { limits: { fileSize: csvBytes + 1, files: 1, fields: 20 } });

  app.post("/v1/predict", { config: { role: "predict" }, schema }, async (request, reply) => {
    const model = requireRowModel(context);
    const { input } = model.card.rows;
    const source = await tableIn(request);
    if (source) {
      const limits = { bytes: csvBytes, chunkRows: CHUNK_ROWS, timeoutMs: requestTimeoutMs };
      return answerTable(context, request, reply, model, rowsOfCsv(source, input, limits), requestTimeoutMs);
    }
    const { values, rows } = requireRows(request.body, input, context.limits.requestRows);
    const { outputs, served } = await predictRows(context.router, model, values, rows);
    return { model: served.model, predictions: decide(served.card.rows.output, outputs) };
  });
}

/** The table that a request brings; undefined for rows in JSON. Throws HttpError 400. */
async function tableIn(request: FastifyRequest): Promise<Readable | undefined> {
  if (request.isMultipart()) {
    const part = await request.file();
    if (!part) throw new HttpError(400, "CSV_INVALID", "the form has no file");
    return part.file;
  }
  return request.body instanceof Readable ? request.body : undefined;
}
