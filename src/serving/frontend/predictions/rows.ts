import { described } from "../../../common/text.ts";
import type { RowForm } from "../../models/card.ts";
import { roomForFloats } from "../../tensors/raw-tensor.ts";
import { HttpError } from "../errors.ts";

/** Rows as the runtime takes them. */
export interface Rows {
  values: Float32Array;
  rows: number;
}

/**
 * Checks `{"rows": [[number, …], …]}` against what the model takes.
 * @throws HttpError 400 naming the first row and column that does not fit (both from 1), 413 for more than `maxRows`
 */
export function requireRows(body: unknown, { features, columns }: RowForm["input"], maxRows: number): Rows {
  const rows = isObject(body) ? body.rows : undefined;
  if (!Array.isArray(rows)) throw new HttpError(400, "ROWS_INVALID", 'the body must be {"rows": [[number, …], …]}');
  if (rows.length === 0) throw new HttpError(400, "ROWS_INVALID", "there are no rows");
  if (rows.length > maxRows) {
    throw new HttpError(413, "ROWS_TOO_MANY", `${rows.length} rows; at most ${maxRows} are taken at once`);
  }
  const values = roomForFloats(rows.length * features);
  for (const [index, row] of rows.entries()) {
    if (!Array.isArray(row)) throw invalid(`row ${index + 1} is not a list of numbers`);
    if (row.length !== features)
      throw invalid(`row ${index + 1} has ${row.length} numbers, the model takes ${features}`);
    for (const [column, cell] of row.entries()) {
      const value = typeof cell === "number" ? Math.fround(cell) : Number.NaN;
      if (!Number.isFinite(value)) {
        const name = columns?.[column] === undefined ? "" : ` for ${columns[column]}`;
        throw invalid(`row ${index + 1}, column ${column + 1}: ${described(cell)} is not a float32 number${name}`);
      }
      values[index * features + column] = value;
    }
  }
  return { values, rows: rows.length };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(reason: string): HttpError {
  return new HttpError(400, "ROWS_INVALID", reason);
}
