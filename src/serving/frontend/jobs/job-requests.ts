import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import { pathExists } from "../../../common/files.ts";
import type { PredictRequest, TrainJobRequest } from "../../jobs/requests.ts";
import { type Spool, SpoolError } from "../../jobs/spool.ts";
import { modelFolder } from "../../models/registry-file.ts";
import { frontendSettingsOf } from "../config.ts";
import { type FrontendContext, requireLastRowModel } from "../context.ts";
import { HttpError } from "../errors.ts";
import { requireRows } from "../predictions/rows.ts";
import { type csvQuery, type JobBody, termsOf } from "./job-body.ts";

/** So many numbers travel with the job; more are a file of the spool. */
const INLINE_NUMBERS = 1000;
const SPOOL_RETRY_S = 60;

/** A checked request; `text` is what an idempotency key stands for. Its files are in the spool. Throws HttpError. */
export async function predictRequest(
  context: FrontendContext,
  spool: Spool,
  body: Extract<JobBody, { kind: "predict" }>,
  text: string,
): Promise<PredictRequest> {
  const { model } = body;
  const { input } = requireLastRowModel(context, model).card.rows;
  const { values, rows } = requireRows({ rows: body.rows }, input, context.limits.jobRows);
  const terms = termsOf(body, context.config.jobs.keepFailedS, text);
  const base = { kind: "predict", ...terms, ...(model !== undefined && { model }) } as const;
  if (rows * input.features <= INLINE_NUMBERS) return { ...base, rows: body.rows as number[][] };
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const { file } = await spooled(spool.put(piecesOf(bytes), bytes.byteLength));
  return { ...base, spooled: { file, format: "f32" } };
}

/** A checked request whose rows are a CSV file: what is in it, the job finds out. Throws HttpError. */
export async function csvRequest(
  context: FrontendContext,
  spool: Spool,
  query: z.output<typeof csvQuery>,
  stream: Readable,
): Promise<PredictRequest> {
  requireLastRowModel(context, query.model);
  termsOf(query, context.config.jobs.keepFailedS, ""); // before the file is read
  const { csvBytes, requestTimeoutMs } = frontendSettingsOf(context.config);
  const { file, digest } = await spooled(spool.put(timelyPieces(stream, requestTimeoutMs), csvBytes));
  const terms = termsOf(query, context.config.jobs.keepFailedS, JSON.stringify([query, digest]));
  const { model } = query;
  return { kind: "predict", ...terms, ...(model !== undefined && { model }), spooled: { file, format: "csv" } };
}

/** A checked training. Throws HttpError. */
export async function trainRequest(
  context: FrontendContext,
  spool: Spool,
  body: Extract<JobBody, { kind: "train" }>,
  text: string,
): Promise<TrainJobRequest> {
  const { spec, parent, publish } = body;
  const terms = termsOf(body, context.config.jobs.keepFailedS, text);
  if (parent !== undefined && !(await pathExists(modelFolder(context.config.modelsDir, parent)))) {
    throw new HttpError(404, "MODEL_UNKNOWN", `this host has no model ${parent}`);
  }
  const bytes = Buffer.from(body.data.text);
  const { file } = await spooled(spool.put(piecesOf(bytes), bytes.byteLength));
  return {
    kind: "train",
    ...terms,
    training: { spec, ...(parent !== undefined && { parent }) },
    spooled: file,
    ...(publish && { publish }),
  };
}

/** What a stream brings, as long as the next piece comes in time. Throws HttpError 408. */
async function* timelyPieces(stream: Readable, timeoutMs: number): AsyncGenerator<Uint8Array> {
  // a stream that is destroyed takes the connection along, and with it the answer
  const pieces = stream.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>;
  for (;;) {
    const late = new AbortController();
    const alarm = sleep(timeoutMs, undefined, { signal: late.signal }).then(() => {
      throw new HttpError(408, "REQUEST_TIMEOUT", `nothing of the body arrived within ${timeoutMs / 1000} s`);
    });
    alarm.catch(() => undefined); // the race may be over
    try {
      const { value, done } = await Promise.race([pieces.next(), alarm]);
      if (done) return;
      yield value;
    } finally {
      late.abort();
    }
  }
}

/** What the spool answers; its refusals are the caller's matter. */
async function spooled<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof SpoolError)) throw error;
    if (error.reason === "too-large") throw new HttpError(413, "UPLOAD_TOO_LARGE", `the file has ${error.message}`);
    throw new HttpError(503, "SPOOL_FULL", error.message, SPOOL_RETRY_S);
  }
}

const PIECE_BYTES = 1024 * 1024;

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}
