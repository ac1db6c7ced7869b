import { readFile, stat } from "node:fs/promises";
import { isErrno } from "../../../common/errors.ts";
import { invalid } from "../errors.ts";

/** What one training may take. */
export const dataBounds = { bytes: 256 * 2 ** 20, rows: 1_000_000, cells: 20_000_000 };

/** A CSV file's numbers, row-major, as single precision holds them: what a served model will see. */
export interface NumberTable {
  /** The names in the first line, where that is a header. */
  columns: string[] | undefined;
  rows: number;
  width: number;
  values: Float64Array;
}

/** The text of the training data. Throws SlipwayError E_TRAINING_INVALID. */
export async function readData(data: { path: string } | { text: string }): Promise<string> {
  if ("text" in data) {
    requireSize(Buffer.byteLength(data.text));
    return data.text;
  }
  const { size } = await stat(data.path).catch((error: unknown) => {
    if (isErrno(error, "ENOENT")) throw invalid("the file with the training data does not exist");
    throw error;
  });
  requireSize(size);
  return readFile(data.path, "utf8");
}

function requireSize(bytes: number): void {
  if (bytes > dataBounds.bytes) throw invalid(`the data is larger than ${dataBounds.bytes} bytes`);
}

/**
 * Reads comma-separated numbers, one row a line. A first line without any number is a header. Empty lines count for nothing.
 * @throws SlipwayError E_TRAINING_INVALID naming the line
 */
export function parseNumbers(text: string): NumberTable {
  let columns: string[] | undefined;
  let width = 0;
  let rows = 0;
  const values: number[] = [];
  for (const [number, line] of linesOf(text)) {
    const cells = line.split(",").map((cell) => cell.trim());
    if (width === 0) {
      width = cells.length;
      if (cells.every((cell) => !Number.isFinite(numberIn(cell)))) {
        columns = cells;
        continue;
      }
    }
    if (cells.length !== width)
      throw invalid(`line ${number} of the data has ${cells.length} columns, the first has ${width}`);
    for (const [column, cell] of cells.entries()) {
      const value = Math.fround(numberIn(cell));
      if (!Number.isFinite(value)) {
        throw invalid(
          `line ${number}, column ${column + 1} of the data: "${cell.slice(0, 40)}" is no finite float32 number`,
        );
      }
      values.push(value);
    }
    rows++;
    if (rows > dataBounds.rows) throw invalid(`the data has more than ${dataBounds.rows} rows`);
    if (values.length > dataBounds.cells) throw invalid(`the data has more than ${dataBounds.cells} numbers`);
  }
  if (rows === 0) throw invalid("the data has no rows");
  return { columns, rows, width, values: Float64Array.from(values) };
}

/** The text's lines that are not blank, with their numbers from 1. */
function* linesOf(text: string): Generator<[number, string]> {
  let number = 0;
  for (let from = text.charCodeAt(0) === 0xfeff ? 1 : 0; from < text.length; ) {
    const found = text.indexOf("\n", from);
    const end = found === -1 ? text.length : found;
    const line = text.slice(from, end);
    number++;
    from = end + 1;
    if (line.trim() !== "") yield [number, line];
  }
}

/** `Number("")` is 0: an empty cell is no number. */
function numberIn(cell: string): number {
  return cell === "" ? Number.NaN : Number(cell);
}
