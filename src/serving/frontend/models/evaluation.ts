import { classOf, decide, type Prediction, type RowCard } from "../../models/card.ts";
import type { ModelIdentity } from "../../models/registry.ts";
import { predictRows, type RowModel } from "../../routing/rows.ts";
import { type FrontendContext, requireRowModel } from "../context.ts";
import { HttpError } from "../errors.ts";
import type { ModelDataReader } from "./model-data.ts";

/** The model's predictions for the rows that travel with it. */
export interface Evaluation {
  model: ModelIdentity;
  card: RowCard;
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
    const { model } = requireRowModel(context);
    return kept?.model.digest === model.digest ? { ...kept, model } : compute();
  };
  return { compute, last };
}

async function evaluate(context: FrontendContext, read: ModelDataReader): Promise<Evaluation> {
  const served = requireRowModel(context);
  const { rows, labels } = (await read(served)).table;
  if (rows.length === 0) throw new HttpError(404, "NO_DATA", "no rows travel with this model");
  const predictions: Prediction[] = [];
  for (let at = 0; at < rows.length; at += CHUNK_ROWS) {
    predictions.push(...(await predictBy(served, context, rows.slice(at, at + CHUNK_ROWS))));
  }
  const tellsClasses = served.card.rows.output.kind !== "values";
  const right = tellsClasses ? labels?.filter((label, row) => label === classOf(predictions[row])).length : undefined;
  return {
    model: served.model,
    card: served.card,
    rows,
    predictions,
    labels,
    accuracy: right === undefined ? undefined : (right / rows.length) * 100,
  };
}

/** Predictions by this very model: an evaluation is not of two. */
async function predictBy(model: RowModel, { router }: FrontendContext, rows: number[][]): Promise<Prediction[]> {
  const { served, outputs } = await predictRows(router, model, Float32Array.from(rows.flat()), rows.length);
  if (served.model.digest !== model.model.digest) {
    throw new HttpError(503, "MODEL_CHANGED", "the model was exchanged just now", 1);
  }
  return decide(served.card.rows.output, outputs);
}
