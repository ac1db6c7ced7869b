import { decide, type ModelCard, type Prediction } from "../models/card.ts";
import type { ModelIdentity } from "../models/current.ts";
import type { Hello } from "../runtime/hello.ts";
import { type FrontendContext, requireHello } from "./context.ts";
import { HttpError } from "./errors.ts";
import type { ModelDataReader } from "./model-data.ts";

/** The model's predictions for the rows that travel with it. */
export interface Evaluation {
  model: ModelIdentity;
  card: ModelCard;
  rows: number[][];
  predictions: Prediction[];
  /** The rows' true classes, if the file has them. */
  labels: number[] | undefined;
  /** Rows whose class is predicted right, in percent; undefined without labels. */
  accuracy: number | undefined;
}

const CHUNK_ROWS = 1024;

/** The evaluation of the model that serves. Both throw HttpError 404 when no rows travel with it, RuntimeError. */
export interface Evaluations {
  /** Computed now. */
  compute(): Promise<Evaluation>;
  /** The one computed last, as long as the same model serves: it would answer the same. */
  last(): Promise<Evaluation>;
}

export function evaluationsOf(context: FrontendContext, read: ModelDataReader): Evaluations {
  let kept: Evaluation | undefined;
  const compute = async () => {
    kept = await evaluate(context, read);
    return kept;
  };
  const last = async () => {
    const { model } = requireHello(context);
    return kept?.model.digest === model.digest ? { ...kept, model } : compute();
  };
  return { compute, last };
}

async function evaluate(context: FrontendContext, read: ModelDataReader): Promise<Evaluation> {
  const hello = requireHello(context);
  const { rows, labels } = (await read(hello)).table;
  if (rows.length === 0) throw new HttpError(404, "NO_DATA", "no rows travel with this model");
  const predictions: Prediction[] = [];
  for (let at = 0; at < rows.length; at += CHUNK_ROWS) {
    predictions.push(...(await predictBy(hello, context, rows.slice(at, at + CHUNK_ROWS))));
  }
  const right = labels?.filter((label, row) => label === predictions[row]?.class).length;
  return {
    model: hello.model,
    card: hello.card,
    rows,
    predictions,
    labels,
    accuracy: right === undefined ? undefined : (right / rows.length) * 100,
  };
}

/** Predictions by this very model: an evaluation is not of two. */
async function predictBy({ model }: Hello, { runtime }: FrontendContext, rows: number[][]): Promise<Prediction[]> {
  const { hello, outputs } = await runtime.predict(Float32Array.from(rows.flat()), rows.length);
  if (hello.model.digest !== model.digest) {
    throw new HttpError(503, "MODEL_CHANGED", "the model was exchanged just now", 1);
  }
  return decide(hello.card.output, outputs);
}
