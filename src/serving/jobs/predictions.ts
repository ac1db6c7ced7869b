import { setTimeout as sleep } from "node:timers/promises";
import { decide, type Prediction, takesRows } from "../models/card.ts";
import type { ModelIdentity } from "../models/registry.ts";
import { RuntimeError, type ServedModel } from "../routing/question.ts";
import type { RowAnswer, RowModel } from "../routing/rows.ts";
import type { RowChunk } from "../tables/csv-rows.ts";
import { JobFailure } from "./children.ts";
import type { JobProgress, PredictionJob, PredictionResult } from "./records.ts";
import { RowsError, rowChunks } from "./row-chunks.ts";
import type { Spool } from "./spool.ts";

/** Rows that travel to the runtime at a time: synchronous requests get their turn between two of them. */
const CHUNK_ROWS = 1024;
/** Answers of so few rows travel with the job; others are a file. */
const INLINE_ROWS = 64;
/** How long a chunk waits for a runtime that is away, before the attempt is given up. */
const AWAY_MS = 30_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;

/** What a prediction job works with. */
export interface PredictionTools {
  /** The model of this name, or the default one, once it serves. Rejects with RuntimeError, the signal's reason. */
  served: (name: string | undefined, signal: AbortSignal) => Promise<ServedModel>;
  predict: (served: RowModel, values: Float32Array, rows: number) => Promise<RowAnswer>;
  spool: Pick<Spool, "get" | "publish" | "size">;
  onProgress: (progress: JobProgress) => void;
  signal: AbortSignal;
  awayMs?: number;
}

/**
 * Computes a job's rows, any number of them, all by one model: one that is exchanged half-way fails this attempt, and the next computes
 * anew. A job that has left its result before does not compute again.
 * @throws JobFailure: final when the rows do not fit the model that serves now; the signal's reason
 */
export async function computePredictions(
  id: string,
  job: PredictionJob,
  tools: PredictionTools,
): Promise<PredictionResult> {
  const { spool, signal } = tools;
  const left = await earlierResult(id, spool);
  if (left) return left;
  const served = await tools.served(job.model, signal);
  const { model, card } = served;
  if (!takesRows(card)) throw new JobFailure(`${model.name} takes no rows of numbers`, true);
  // the object itself: the router gathers by it
  const pieces = predictionPieces(job, served as RowModel, tools);
  const first: Prediction[] = [];
  for (let piece = await pieces.next(); !piece.done; piece = await pieces.next()) {
    first.push(...piece.value);
    if (first.length > INLINE_ROWS) {
      let rows = first.length;
      const { file } = await spool.publish(
        id,
        resultLines(model, first, pieces, (count) => {
          rows += count;
        }),
      );
      return { model, rows, file };
    }
  }
  if (first.length === 0) throw new JobFailure("the job has no rows", true);
  return { model, predictions: first, rows: first.length };
}

async function* predictionPieces(
  job: PredictionJob,
  served: RowModel,
  tools: PredictionTools,
): AsyncGenerator<Prediction[]> {
  const { model, card } = served;
  const total = job.rows?.length;
  let done = 0;
  try {
    for await (const chunk of rowChunks(job, tools.spool, card.rows.input, CHUNK_ROWS)) {
      const answer = await answered(served, chunk, tools);
      if (answer.served.model.digest !== model.digest) {
        throw new JobFailure("the model was exchanged while the job ran", false);
      }
      yield decide(card.rows.output, answer.outputs);
      done += chunk.rows;
      tools.onProgress({ done, ...(total !== undefined && { total }) });
    }
  } catch (error) {
    if (error instanceof RowsError) throw new JobFailure(error.message, true);
    throw error;
  }
}

/** The runtime's answer to a chunk; while the runtime is away or busy the chunk waits and asks again. */
async function answered(served: RowModel, { values, rows }: RowChunk, tools: PredictionTools): Promise<RowAnswer> {
  const { signal, awayMs = AWAY_MS } = tools;
  const until = performance.now() + awayMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    signal.throwIfAborted();
    try {
      return await tools.predict(served, values, rows);
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      if (error.reason === "invalid") throw new JobFailure(error.message, true);
      if (error.reason === "failed" || error.reason === "changed" || performance.now() > until)
        throw new JobFailure(error.message, false);
    }
    await sleep(pause * (0.5 + Math.random() / 2), undefined, { signal });
  }
}

/** A result file: the model, then a line for each row. */
async function* resultLines(
  model: ModelIdentity,
  first: Prediction[],
  pieces: AsyncGenerator<Prediction[]>,
  count: (rows: number) => void,
): AsyncGenerator<string> {
  yield `${JSON.stringify({ model })}\n${linesOf(first)}`;
  for await (const piece of pieces) {
    count(piece.length);
    yield linesOf(piece);
  }
}

function linesOf(predictions: Prediction[]): string {
  return predictions.map((prediction) => `${JSON.stringify(prediction)}\n`).join("");
}

/** What an earlier run of this job has left: its worker died before it could say so. */
async function earlierResult(id: string, spool: PredictionTools["spool"]): Promise<PredictionResult | undefined> {
  const file = `out-${id}`;
  if ((await spool.size(file)) === undefined) return undefined;
  let head = "";
  let lines = 0;
  for await (const part of spool.get(file) as AsyncIterable<Buffer>) {
    if (lines === 0) head += part.toString("utf8");
    for (let at = part.indexOf(10); at !== -1; at = part.indexOf(10, at + 1)) lines++;
  }
  const { model } = JSON.parse(head.slice(0, head.indexOf("\n"))) as { model: ModelIdentity };
  return { model, rows: lines - 1, file };
}
