import { classOf, decide, type Prediction, type RowCard } from "../../models/card.ts";
import type { ModelIdentity } from "../../models/registry.ts";
import { predictRows, type RowModel } from "../../routing/rows.ts";
import { type AskedModel, type FrontendContext, requireRowModel } from "../context.ts";
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

/** Evaluations of models that serve. Both throw HttpError 404 when no rows travel with the model, RuntimeError. */
export interface Evaluations {
  /** Computed now. */
  compute(asked: AskedModel): Promise<Evaluation>;
  /** The one computed last, as long as the same model serves: it would answer the same. */
  last(asked: AskedModel): Promise<Evaluation>;
}

/** Evaluations that are kept, one of a model. */
const KEPT = 4;

export function evaluationsOf(context: FrontendContext, read: ModelDataReader): Evaluations {
  const kept = new Map<string, Evaluation>();
  const compute = async (asked: AskedModel) => {
    const evaluation = await evaluate(context, requireRowModel(context, asked), read);
    const { digest } = evaluation.model;
    kept.delete(digest);
    kept.set(digest, evaluation);
    const [oldest] = kept.keys();
    if (kept.size > KEPT && oldest !== undefined) kept.delete(oldest);
    return evaluation;
  };
  const last = async (asked: AskedModel) => {
    const { model } = requireRowModel(context, asked);
    const known = kept.get(model.digest);
    return known ? { ...known, model } : compute(asked);
  };
  return { compute, last };
}

async function evaluate(context: FrontendContext, served: RowModel, read: ModelDataReader): Promise<Evaluation> {
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
