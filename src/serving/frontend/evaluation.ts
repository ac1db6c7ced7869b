import { decide, type Prediction } from "../models/card.ts";
import { type ModelIdentity, modelFolder } from "../models/current.ts";
import { readPackage } from "../models/package.ts";
import { parseTable, type Table } from "../models/table.ts";
import type { Hello } from "../runtime/hello.ts";
import { type FrontendContext, requireHello } from "./context.ts";
import { HttpError } from "./errors.ts";

/** The model's predictions for the rows that travel with it. */
export interface Evaluation {
  model: ModelIdentity;
  predictions: Prediction[];
  /** The rows' true classes, if the file has them. */
  labels: number[] | undefined;
  /** Rows whose class is predicted right, in percent; undefined without labels. */
  accuracy: number | undefined;
}

const CHUNK_ROWS = 1024;

/** Reads the table that travels with the model that serves; the last one read is kept. */
export function tableReader({ config }: FrontendContext): (hello: Hello) => Promise<Table> {
  let kept: { digest: string; table: Table } | undefined;
  return async ({ model: { digest }, card }) => {
    if (kept?.digest !== digest) {
      kept = { digest, table: await readTable(modelFolder(config.modelsDir, digest), card.input.features) };
    }
    return kept.table;
  };
}

async function readTable(folder: string, features: number): Promise<Table> {
  const { data } = await readPackage(folder);
  return data === undefined ? { columns: undefined, rows: [], labels: undefined } : parseTable(data, features);
}

/** Predicts every row that travels with the model. Throws HttpError 404 when none do, RuntimeError. */
export async function evaluate(context: FrontendContext, read: (hello: Hello) => Promise<Table>): Promise<Evaluation> {
  const hello = requireHello(context);
  const { rows, labels } = await read(hello);
  if (rows.length === 0) throw new HttpError(404, "NO_DATA", "no rows travel with this model");
  const predictions: Prediction[] = [];
  for (let at = 0; at < rows.length; at += CHUNK_ROWS) {
    const chunk = rows.slice(at, at + CHUNK_ROWS);
    const answer = await context.runtime.predict(Float32Array.from(chunk.flat()), chunk.length);
    if (answer.hello.model.digest !== hello.model.digest) {
      throw new HttpError(503, "MODEL_CHANGED", "the model was exchanged just now", 1);
    }
    predictions.push(...decide(answer.hello.card.output, answer.outputs));
  }
  const right = labels?.filter((label, row) => label === predictions[row]?.class).length;
  return {
    model: hello.model,
    predictions,
    labels,
    accuracy: right === undefined ? undefined : (right / rows.length) * 100,
  };
}
