import type { Readable } from "node:stream";
import { CsvError, type Parser, parse } from "csv-parse";
import { described } from "../../common/text.ts";
import type { RowForm } from "../models/card.ts";
import { TableError } from "./table-error.ts";

/** A line that is longer is no row of numbers. */
const MAX_LINE_BYTES = 1_000_000;

/** Rows of numbers, one after the other. */
export interface RowChunk {
  values: Float32Array;
  rows: number;
}

export interface CsvLimits {
  /** Of the whole table. */
  bytes: number;
  /** Rows that come out together. */
  chunkRows: number;
  /** Within which the next row must have come. */
  timeoutMs: number;
}

interface Line {
  record: string[];
  /** Counted from 1. */
  info: { lines: number };
}

/**
 * Reads a table of comma-separated numbers as rows that the model takes, some at a time, as they come. A first line without numbers is a
 * header: where it has the names of all the model's columns, columns are taken by name and others are left out.
 * @throws TableError naming the first line that does not fit
 */
export async function* rowsOfCsv(
  source: Readable,
  input: RowForm["input"],
  limits: CsvLimits,
): AsyncGenerator<RowChunk> {
  const parser = parse({
    bom: true,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_LINE_BYTES,
  });
  parser.on("error", () => undefined); // whoever waits for a line is told; nobody may, for a moment
  let bytes = 0;
  source.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > limits.bytes) parser.destroy(tooLarge(limits.bytes));
  });
  source.on("error", (cause) => parser.destroy(endedEarly(cause)));
  source.pipe(parser);
  try {
    yield* chunksOf(parser, input, limits);
  } catch (error) {
    throw failureOf(error);
  } finally {
    source.unpipe(parser);
    parser.destroy();
  }
}

async function* chunksOf(
  parser: Parser,
  input: RowForm["input"],
  { chunkRows, timeoutMs }: CsvLimits,
): AsyncGenerator<RowChunk> {
  const { features } = input;
  let places: number[] | undefined;
  let isFirst = true;
  let values = new Float32Array(chunkRows * features);
  let rows = 0;
  let any = false;
  for (;;) {
    let line = parser.read() as Line | null;
    if (line === null) {
      if (!(await hasMore(parser, timeoutMs))) break;
      line = parser.read() as Line | null;
      if (line === null) continue;
    }
    if (isFirst) {
      isFirst = false;
      if (isHeader(line.record)) {
        places = placesIn(line.record, input);
        continue;
      }
    }
    takeRow(line, input, places, values, rows * features);
    any = true;
    if (++rows < chunkRows) continue;
    yield { values, rows };
    values = new Float32Array(chunkRows * features);
    rows = 0;
  }
  if (rows > 0) yield { values: values.subarray(0, rows * features), rows };
  if (!any) throw invalid("there are no rows");
}

/** Waits for another line; false at the end. Rejects with the parser's failure, or TableError `late`. */
function hasMore(parser: Parser, timeoutMs: number): Promise<boolean> {
  if (parser.readableEnded) return Promise.resolve(false);
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      clearTimeout(timer);
      parser.off("readable", readable).off("end", end).off("error", fail).off("close", closed);
      act();
    };
    const readable = () => settle(() => resolve(true));
    const end = () => settle(() => resolve(false));
    const fail = (error: Error) => settle(() => reject(error));
    const closed = () => settle(() => reject(parser.errored ?? endedEarly()));
    const timer = setTimeout(() => fail(new TableError("late", `no row came within ${timeoutMs / 1000} s`)), timeoutMs);
    parser.on("readable", readable).on("end", end).on("error", fail).on("close", closed);
    if (parser.errored) fail(parser.errored);
    else if (parser.destroyed) closed();
  });
}

function isHeader(record: string[]): boolean {
  return record.every((cell) => Number.isNaN(numberIn(cell)));
}

/** Where a line has the model's columns; undefined where they are in order. Throws TableError. */
function placesIn(header: string[], { columns, features }: RowForm["input"]): number[] | undefined {
  const names = header.map((name) => name.trim());
  const missing = columns?.filter((name) => !names.includes(name)) ?? [];
  if (columns === undefined || missing.length === columns.length) {
    if (names.length === features) return undefined;
    throw invalid(`the header has ${names.length} columns, the model takes ${features}`);
  }
  if (missing.length > 0) throw invalid(`the header has no column ${described(missing[0])}`);
  return columns.map((name) => names.indexOf(name));
}

function takeRow(
  { record, info: { lines } }: Line,
  { features, columns }: RowForm["input"],
  places: number[] | undefined,
  values: Float32Array,
  start: number,
): void {
  if (places === undefined && record.length !== features)
    throw invalid(`line ${lines} has ${record.length} columns, the model takes ${features}`);
  for (let feature = 0; feature < features; feature++) {
    const column = places?.[feature] ?? feature;
    const cell = record[column];
    if (cell === undefined) throw invalid(`line ${lines} has ${record.length} columns, the header has more`);
    const value = Math.fround(numberIn(cell));
    if (!Number.isFinite(value)) {
      const name = columns?.[feature] === undefined ? "" : ` for ${columns[feature]}`;
      throw invalid(`line ${lines}, column ${column + 1}: ${described(cell)} is not a float32 number${name}`);
    }
    values[start + feature] = value;
  }
}

const DECIMAL = /^\s*[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?\s*$/i;

/** `Number` would take more for one: nothing, hexadecimals. */
function numberIn(cell: string): number {
  return DECIMAL.test(cell) ? Number(cell) : Number.NaN;
}

function invalid(reason: string): TableError {
  return new TableError("invalid", reason);
}

function endedEarly(cause?: unknown): TableError {
  return new TableError("torn", "the table ended early", { cause });
}

function tooLarge(bytes: number): TableError {
  return new TableError("too-large", `the table has more than ${bytes} bytes`);
}

/** The library's own failures are the table's. */
function failureOf(error: unknown): unknown {
  if (!(error instanceof CsvError)) return error;
  const reasons: Record<string, string> = {
    CSV_QUOTE_NOT_CLOSED: "a quote is not closed",
    CSV_MAX_RECORD_SIZE: `it is too long: a line has more than ${MAX_LINE_BYTES} bytes`,
    INVALID_OPENING_QUOTE: "a quote stands within a cell",
    CSV_INVALID_CLOSING_QUOTE: "something follows a closing quote",
  };
  return invalid(`line ${error.lines ?? "?"}: ${reasons[error.code] ?? "it is not CSV"}`);
}
