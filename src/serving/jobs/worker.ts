import { UnrecoverableError, Worker } from "bullmq";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { decide } from "../models/card.ts";
import { RuntimeError } from "../routing/question.ts";
import type { RowAnswer } from "../routing/rows.ts";
import { PREDICTION_QUEUE, type PredictionJob, type PredictionResult } from "./queue.ts";

/** Rows that travel to the runtime at a time: synchronous requests get their turn between two of them. */
const CHUNK_ROWS = 1024;

type Predict = (values: Float32Array, rows: number) => Promise<RowAnswer>;

/**
 * Computes a job's rows. All of them by one model: one that is exchanged half-way fails this attempt, and the next computes anew.
 * @throws UnrecoverableError when the rows do not fit the model that serves now; RuntimeError when another attempt may succeed
 */
export async function computeJob({ rows }: PredictionJob, predict: Predict): Promise<PredictionResult> {
  const result: PredictionResult[] = [];
  for (let at = 0; at < rows.length; at += CHUNK_ROWS) {
    const chunk = rows.slice(at, at + CHUNK_ROWS);
    const { outputs, served } = await predict(Float32Array.from(chunk.flat()), chunk.length).catch((error: unknown) => {
      if (error instanceof RuntimeError && error.reason === "invalid") throw new UnrecoverableError(error.message);
      throw error;
    });
    if (result[0] && result[0].model.digest !== served.model.digest) {
      throw new RuntimeError("unavailable", "the model was exchanged while the job ran");
    }
    result.push({ model: served.model, predictions: decide(served.card.rows.output, outputs) });
  }
  const [first] = result;
  if (first === undefined) throw new UnrecoverableError("the job has no rows");
  return { model: first.model, predictions: result.flatMap(({ predictions }) => predictions) };
}

/** Works on prediction jobs until `close`, which lets the running ones finish. Jobs of a worker that dies go to another within seconds. */
export function startWorker(connection: Redis, predict: Predict, log: Logger): { close: () => Promise<void> } {
  const worker = new Worker<PredictionJob, PredictionResult>(PREDICTION_QUEUE, (job) => computeJob(job.data, predict), {
    connection,
    concurrency: 4,
    // Inference runs in another process, so this one's event loop never stalls for as long as a lock lives.
    lockDuration: 5000,
    stalledInterval: 2000,
    maxStalledCount: 2,
  });
  worker.on("error", (error) => log.warn({ reason: error.message }, "queue"));
  worker.on("failed", (job, error) =>
    log.warn({ job: job?.id, attempt: job?.attemptsMade, err: error }, "attempt failed"),
  );
  return { close: () => worker.close() };
}
