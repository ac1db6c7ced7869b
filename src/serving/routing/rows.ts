import type { RowCard } from "../models/card.ts";
import { floatRows, floatsIn } from "../tensors/raw-tensor.ts";
import type { Answer, ServedModel, Terms } from "./question.ts";
import type { Router } from "./router.ts";

/** A model that takes rows of numbers, as it serves. */
export interface RowModel extends ServedModel {
  card: RowCard;
}

/** A row model's outputs, row after row, and what computed them. */
export interface RowAnswer {
  outputs: Float32Array;
  served: RowModel;
  /** As of an {@link Answer}. */
  worker?: string | undefined;
}

/** The outputs for some rows of numbers. Rejects with RuntimeError. */
export function predictRows(
  router: Pick<Router, "predict">,
  served: RowModel,
  values: Float32Array,
  rows: number,
  terms?: Terms,
): Promise<RowAnswer> {
  return router.predict(served, [floatRows(values, rows)], terms).then(rowAnswerOf);
}

/** What a row model answered, read as rows. */
export function rowAnswerOf({ outputs, served, worker }: Answer): RowAnswer {
  // only a model with the same inputs and outputs takes another's place, so this one is read as rows, too
  return { outputs: floatsIn(outputs[0]), served: served as RowModel, worker };
}
