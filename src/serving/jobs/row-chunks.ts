import type { Readable } from "node:stream";
import type { RowForm } from "../models/card.ts";
import { type RowChunk, rowsOfCsv } from "../tables/csv-rows.ts";
import { TableError } from "../tables/table-error.ts";
import type { PredictionJob } from "./records.ts";
import type { Spool } from "./spool.ts";

/** Rows that do not fit the model: no further attempt can succeed. */
export class RowsError extends Error {
  override readonly name = "RowsError";
}

/** A disk that brings no row for so long is broken. */
const DISK_MS = 60_000;

/** A job's rows in pieces of `chunkRows`, in order and in memory of one piece. Throws {@link RowsError}. */
export async function* rowChunks(
  { rows, spooled }: PredictionJob,
  spool: Pick<Spool, "get">,
  input: RowForm["input"],
  chunkRows: number,
): AsyncGenerator<RowChunk> {
  const { features } = input;
  if (rows) yield* inlineChunks(rows, features, chunkRows);
  else if (!spooled) throw new RowsError("the job has no rows");
  else if (spooled.format === "f32") yield* binaryChunks(spool.get(spooled.file), features, chunkRows);
  else yield* csvChunks(spool.get(spooled.file), input, chunkRows);
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

async function* csvChunks(stream: Readable, input: RowForm["input"], chunkRows: number): AsyncGenerator<RowChunk> {
  try {
    // its size was bounded when it came
    yield* rowsOfCsv(stream, input, { bytes: Number.POSITIVE_INFINITY, chunkRows, timeoutMs: DISK_MS });
  } catch (error) {
    if (error instanceof TableError && error.reason === "invalid") throw new RowsError(error.message);
    throw error;
  }
}
