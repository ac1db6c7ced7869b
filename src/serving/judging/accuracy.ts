import { readFile } from "node:fs/promises";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { classOf, decide, type ModelCard, type RowForm, takesRows } from "../models/card.ts";
import { loadPackage } from "../models/verify.ts";
import { floatRows, numbersIn } from "../tensors/raw-tensor.ts";
import { type NumberTable, parseNumbers } from "../training/data/csv.ts";
import type { Accuracy } from "./checks.ts";

/** Rows that are computed together. */
const BATCH_ROWS = 1024;

/** Rows with their true classes. */
export interface LabelledRows {
  /** Row-major, as many a row as the model has features. */
  features: Float32Array;
  labels: number[];
}

/** Reads the gate's table. Throws SlipwayError E_CONFIG_INVALID where it is not there or no table of numbers. */
export async function readGateTable(path: string): Promise<NumberTable> {
  try {
    return parseNumbers(await readFile(path, "utf8"));
  } catch (cause) {
    throw unusable(`${path}: ${messageOf(cause)}`, cause);
  }
}

/**
 * The table's rows as a model takes them: by the columns' names where the table has all of the model's, else all columns but the target's in
 * their order.
 * @param target name of the column with the true class; the last one unless given
 * @throws SlipwayError E_CONFIG_INVALID
 */
export function labelledRows(
  { columns, rows, width, values }: NumberTable,
  input: RowForm["input"],
  target: string | undefined,
): LabelledRows {
  const label = target === undefined ? width - 1 : (columns?.indexOf(target) ?? -1);
  if (label === -1) throw unusable(`the gate's table has no column ${JSON.stringify(target)}`);
  const places = placesOf(columns, input) ?? Array.from({ length: width }, (_, at) => at).filter((at) => at !== label);
  if (places.length !== input.features) {
    throw unusable(
      `the gate's table has ${places.length} columns besides the class, the model takes ${input.features}`,
    );
  }
  const features = new Float32Array(rows * places.length);
  for (let row = 0; row < rows; row++) {
    for (const [at, place] of places.entries())
      features[row * places.length + at] = values[row * width + place] as number;
  }
  return { features, labels: Array.from({ length: rows }, (_, row) => values[row * width + label] as number) };
}

function placesOf(columns: string[] | undefined, input: RowForm["input"]): number[] | undefined {
  const places = input.columns?.map((name) => columns?.indexOf(name) ?? -1);
  return places?.includes(-1) ? undefined : places;
}

/**
 * How many rows of a table a packaged model puts into their class, computed here.
 * @param folder the unpacked package
 * @throws SlipwayError E_CONFIG_INVALID where the table does not fit the model, or the model tells no classes
 */
export async function accuracyOf(folder: string, table: NumberTable, target: string | undefined): Promise<Accuracy> {
  const model = await loadPackage(folder);
  try {
    const { input, output } = rowFormThatTellsClasses(model.card);
    const { features, labels } = labelledRows(table, input, target);
    let right = 0;
    for (let from = 0; from < labels.length; from += BATCH_ROWS) {
      const count = Math.min(BATCH_ROWS, labels.length - from);
      const values = features.subarray(from * input.features, (from + count) * input.features);
      const [answer] = await model.run([floatRows(values, count)]);
      if (answer === undefined) throw new Error("the model answers nothing");
      const classes = decide(output, numbersIn(answer) as Float32Array).map(classOf);
      right += classes.filter((found, row) => found === labels[from + row]).length;
    }
    return { right, rows: labels.length };
  } finally {
    await model.close();
  }
}

function rowFormThatTellsClasses(card: ModelCard): RowForm {
  if (takesRows(card) && card.rows.output.kind !== "values") return card.rows;
  throw unusable("the gate asks for accuracy, and the model tells no classes of rows");
}

function unusable(message: string, cause?: unknown): SlipwayError {
  return new SlipwayError("E_CONFIG_INVALID", message, {
    cause,
    hint: "Correct `accuracy` of the stack's gate, or its table; docs/reference/releases.md says what it holds.",
  });
}
