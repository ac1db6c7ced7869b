import type { Readable } from "node:stream";
import type { PredictionJob } from "./records.ts";
import type { Spool } from "./spool.ts";

/** Rows of a job that travel to the runtime together. */
export interface RowChunk {
  values: Float32Array;
  rows: number;
}

/** Rows that do not fit the model: no further attempt can succeed. */
export class RowsError extends Error {
  override readonly name = "RowsError";
}

/** A longer line of a CSV file is no row of numbers. */
const MAX_LINE_BYTES = 1024 * 1024;

/** A job's rows in pieces of `chunkRows`, in order and in memory of one piece. Throws {@link RowsError}. */
export async function* rowChunks(
  { rows, spooled }: PredictionJob,
  spool: Pick<Spool, "get">,
  features: number,
  chunkRows: number,
): AsyncGenerator<RowChunk> {
  if (rows) yield* inlineChunks(rows, features, chunkRows);
  else if (!spooled) throw new RowsError("the job has no rows");
  else if (spooled.format === "f32") yield* binaryChunks(spool.get(spooled.file), features, chunkRows);
  else yield* csvChunks(spool.get(spooled.file), features, chunkRows);
}

function* inlineChunks(rows: number[][], features: number, chunkRows: number): Generator<RowChunk> {
  for (let at = 0; at < rows.length; at += chunkRows) {
    const chunk = rows.slice(at, at + chunkRows);
    const misfit = chunk.findIndex((row) => row.length !== features);
    if (misfit !== -1) {
      throw new RowsError(`row ${at + misfit + 1} has ${chunk[misfit]?.length} numbers, the model takes ${features}`);
    }
    yield { values: Float32Array.from(chunk.flat()), rows: chunk.length };
  }
}

async function* binaryChunks(stream: Readable, features: number, chunkRows: number): AsyncGenerator<RowChunk> {
  const rowBytes = features * Float32Array.BYTES_PER_ELEMENT;
  const chunkBytes = chunkRows * rowBytes;
  let pending: Buffer = Buffer.alloc(0);
  const chunkOf = (bytes: Buffer): RowChunk => {
    const rows = bytes.length / rowBytes;
    if (!Number.isInteger(rows)) throw new RowsError(`the rows are not of ${features} numbers, which the model takes`);
    return { values: new Float32Array(new Uint8Array(bytes).buffer), rows };
  };
  for await (const part of stream as AsyncIterable<Buffer>) {
    pending = pending.length === 0 ? part : Buffer.concat([pending, part]);
    for (; pending.length >= chunkBytes; pending = pending.subarray(chunkBytes)) {
      yield chunkOf(pending.subarray(0, chunkBytes));
    }
  }
  if (pending.length > 0) yield chunkOf(pending);
}

async function* csvChunks(stream: Readable, features: number, chunkRows: number): AsyncGenerator<RowChunk> {
  let values = new Float32Array(chunkRows * features);
  let rows = 0;
  let number = 0;
  let first = true;
  for await (const line of linesIn(stream)) {
    number++;
    if (line.trim() === "") continue;
    const cells = line.split(",").map(bare);
    const isHeader = first && cells.every((cell) => !Number.isFinite(numberIn(cell)));
    first = false;
    if (isHeader) continue;
    if (cells.length !== features) {
      throw new RowsError(`line ${number} has ${cells.length} columns, the model takes ${features}`);
    }
    for (const [column, cell] of cells.entries()) {
      const value = Math.fround(numberIn(cell));
      if (!Number.isFinite(value)) {
        throw new RowsError(
          `line ${number}, column ${column + 1}: ${JSON.stringify(cell.slice(0, 40))} is not a float32 number`,
        );
      }
      values[rows * features + column] = value;
    }
    if (++rows === chunkRows) {
      yield { values, rows };
      values = new Float32Array(chunkRows * features);
      rows = 0;
    }
  }
  if (rows > 0) yield { values: values.slice(0, rows * features), rows };
}

/** Lines of a stream of UTF-8, without their ends; a line longer than is read is an error and not memory. */
async function* linesIn(stream: Readable): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: false });
  let pending = "";
  for await (const part of stream as AsyncIterable<Buffer>) {
    pending += decoder.decode(part, { stream: true });
    const lines = pending.split("\n");
    pending = lines.pop() ?? "";
    if (pending.length > MAX_LINE_BYTES) throw new RowsError(`a line has more than ${MAX_LINE_BYTES} characters`);
    for (const line of lines) yield line.endsWith("\r") ? line.slice(0, -1) : line;
  }
  pending += decoder.decode();
  if (pending !== "") yield pending;
}

/** A cell without the blanks and quotes around it. */
function bare(cell: string): string {
  const text = cell.trim();
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1).trim() : text;
}

/** `Number("")` is 0: an empty cell is no number. */
function numberIn(cell: string): number {
  return cell === "" ? Number.NaN : Number(cell);
}
