import { SlipwayError } from "../../common/errors.ts";

/** The rows that travel with a model. */
export interface Table {
  /** The features' names, when the file has a header. */
  columns: string[] | undefined;
  rows: number[][];
  /** The true class of each row, when the file has one column more than the model has features. */
  labels: number[] | undefined;
}

/**
 * Reads comma-separated numbers, one row a line, with or without a header line.
 * @throws SlipwayError E_MODEL_INVALID naming the line that does not fit
 */
export function parseTable(text: string, features: number): Table {
  const lines = text
    .split(/\r?\n/)
    .map((line, index) => ({ number: index + 1, cells: line.split(",").map((cell) => cell.trim()) }))
    .filter(({ cells }) => cells.length > 1 || cells[0] !== "");
  const isHeader = lines[0]?.cells.every((cell) => !Number.isFinite(numberIn(cell)));
  const header = isHeader ? lines.shift()?.cells : undefined;
  const width = lines[0]?.cells.length ?? features;
  if (width !== features && width !== features + 1) {
    throw invalid(`has ${width} columns; the model takes ${features} numbers, and a class may follow`);
  }
  if (header !== undefined && header.length !== width) {
    throw invalid(`names ${header.length} columns and has ${width}`);
  }
  const table = lines.map(({ number, cells }) => {
    if (cells.length !== width) throw invalid(`line ${number} has ${cells.length} columns, the first has ${width}`);
    return cells.map((cell, column) => {
      const value = numberIn(cell);
      if (!Number.isFinite(value)) throw invalid(`line ${number}, column ${column + 1}: "${cell}" is not a number`);
      return value;
    });
  });
  return {
    columns: header?.slice(0, features),
    rows: table.map((row) => row.slice(0, features)),
    labels: width === features ? undefined : table.map((row) => row[features] as number),
  };
}

/** `Number("")` is 0: an empty cell is no number. */
function numberIn(cell: string): number {
  return cell === "" ? Number.NaN : Number(cell);
}

function invalid(reason: string): SlipwayError {
  return new SlipwayError("E_MODEL_INVALID", `the model's CSV file ${reason}`, {
    hint: "Give one row a line: the model's features, then the true class if it is known.",
  });
}
