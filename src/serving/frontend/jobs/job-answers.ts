import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import type { JobReport, PredictionResult } from "../../jobs/records.ts";
import type { Spool } from "../../jobs/spool.ts";
import type { Prediction } from "../../models/card.ts";
import { HttpError } from "../errors.ts";

/** So many predictions are part of a job's report; more are asked for by themselves. */
const REPORTED_ROWS = 4096;

/** A report as the interface tells it: predictions, where they are few, or where they are. */
export async function shownReport(report: JobReport, spool: Spool): Promise<Record<string, unknown>> {
  if (report.kind !== "predict" || report.state !== "completed") return { ...report };
  const result = report.result as PredictionResult;
  const { model, predictions, file } = result;
  const rows = result.rows ?? predictions?.length;
  const href = `/v1/jobs/${report.id}/result`;
  if (predictions) return { ...report, result: { model, rows, predictions } };
  if (file === undefined || rows > REPORTED_ROWS) return { ...report, result: { model, rows, href } };
  const read: Prediction[] = [];
  for await (const prediction of predictionsIn(spool, file)) read.push(prediction);
  return { ...report, result: { model, rows, href, predictions: read } };
}

/** Sends a finished job's result, of any length: JSON as of `/v1/predict`, or CSV where that is asked for. */
export async function sendResult(
  reply: FastifyReply,
  report: JobReport,
  spool: Spool,
  asCsv: boolean,
): Promise<FastifyReply> {
  if (report.state !== "completed") throw new HttpError(409, "RESULT_ABSENT", `the job is ${report.state}`);
  if (report.kind !== "predict") return reply.send(report.result);
  const { model, predictions, file } = report.result as PredictionResult;
  if (file !== undefined && (await spool.size(file)) === undefined) {
    throw new HttpError(404, "JOB_UNKNOWN", "the result was kept long enough");
  }
  const rows = predictions ? each(predictions) : predictionsIn(spool, file as string);
  reply.header("x-slipway-model", model.digest);
  if (!asCsv) return reply.type("application/json").send(Readable.from(jsonText(model, rows)));
  reply.header("content-disposition", `attachment; filename="${report.id}.csv"`);
  return reply.type("text/csv; charset=utf-8").send(Readable.from(csvText(rows)));
}

async function* each(predictions: Prediction[]): AsyncGenerator<Prediction> {
  yield* predictions;
}

/** The predictions in a result file, whose first line is the model's. */
async function* predictionsIn(spool: Spool, file: string): AsyncGenerator<Prediction> {
  let first = true;
  for await (const line of createInterface({ input: spool.get(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    if (!first && line !== "") yield JSON.parse(line) as Prediction;
    first = false;
  }
}

/** Small pieces would cost a turn of the event loop each. */
const PIECE_ROWS = 512;

async function* jsonText(model: unknown, rows: AsyncIterable<Prediction>): AsyncGenerator<string> {
  let text = `{"model":${JSON.stringify(model)},"predictions":[`;
  let count = 0;
  for await (const row of rows) {
    text += `${count++ === 0 ? "" : ","}${JSON.stringify(row)}`;
    if (count % PIECE_ROWS === 0) {
      yield text;
      text = "";
    }
  }
  yield `${text}]}`;
}

/** A column for each of a prediction's fields; a field with several values has a column for each of these. */
async function* csvText(rows: AsyncIterable<Prediction>): AsyncGenerator<string> {
  let text = "";
  let count = 0;
  for await (const row of rows) {
    const cells = Object.entries(row).flatMap(([name, value]) =>
      Array.isArray(value) ? value.map((one, at) => [`${name}_${at + 1}`, one]) : [[name, value]],
    );
    if (count === 0) text += `${cells.map(([name]) => csvCell(name)).join(",")}\n`;
    text += `${cells.map(([, value]) => csvCell(value)).join(",")}\n`;
    if (++count % PIECE_ROWS === 0) {
      yield text;
      text = "";
    }
  }
  yield text;
}

function csvCell(value: unknown): string {
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
