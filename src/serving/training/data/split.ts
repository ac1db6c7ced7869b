import { invalid } from "../errors.ts";
import { Random } from "../mlp/random.ts";
import { rowNumbers } from "../mlp/samples.ts";

/** The numbers of the rows by what they are for. Each is in one list; `holdOut` and `validation` may be empty. */
export interface Split {
  training: Uint32Array;
  validation: Uint32Array;
  holdOut: Uint32Array;
}

/**
 * Divides the rows by the seed.
 * @param holdOut the share of all rows that the training never sees
 * @param validation the share of the others that it is validated on
 * @throws SlipwayError E_TRAINING_INVALID when too few rows are left to train on
 */
export function splitRows(count: number, seed: number, holdOut: number, validation: number): Split {
  const order = Random.of(seed, "split").shuffle(rowNumbers(count));
  const held = share(count, holdOut);
  const validated = share(count - held, validation);
  if (held + validated >= count) {
    throw invalid(`${count} rows are too few: ${held} are held out, ${validated} are for validation, none is left`);
  }
  // in the order of the file: only what is in a part is random
  const part = (from: number, to: number) => order.slice(from, to).sort();
  return {
    holdOut: part(0, held),
    validation: part(held, held + validated),
    training: part(held + validated, count),
  };
}

/** A share of the rows that is not nothing has a row at least. */
function share(count: number, fraction: number): number {
  return fraction === 0 ? 0 : Math.max(1, Math.round(count * fraction));
}
