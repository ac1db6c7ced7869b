import { open } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { isErrno } from "../../common/errors.ts";
import { mayRead } from "./acl.ts";
import type { Caller } from "./caller.ts";
import { isExpired, type ObjectTables, type Segment } from "./records.ts";

/** A part of a content: bytes of a file, or bytes that a manifest holds itself. */
export interface Piece {
  from: { file: string } | { data: Buffer };
  start: number;
  /** Bytes. */
  size: number;
}

/** What a reader gets of an object. */
export interface Whole {
  /** Bytes; undefined where there are too many parts to be counted before they are read. */
  size: number | undefined;
  /** Hex, without quotes. */
  etag: string;
  /** A part of the content, both ends included; looked up as it is read. @throws SegmentError */
  pieces(start: number, end: number): Iterable<Piece>;
}

/** For whom an object is read: what it is made of is what they may read themselves. */
export interface Reading {
  tables: ObjectTables;
  projectId: string;
  caller: Caller;
}

/** What a large object is made of is not there any more, not as it was, or not for whom asks. */
export class SegmentError extends Error {
  override readonly name = "SegmentError";
}

/** As deep as manifests may name manifests, as in Swift. */
const maxDepth = 10;

/**
 * The pieces of a part of a static large object, both ends included, each looked up when it is reached: however many there are, one
 * manifest a level is all that is held.
 * @throws SegmentError
 */
export function* staticPieces(
  reading: Reading,
  segments: readonly Segment[],
  start: number,
  end: number,
  depth = 1,
): Generator<Piece> {
  let [first, last] = [start, end];
  for (const segment of segments) {
    if (last < 0) return;
    const length = lengthOf(segment);
    if (first < length && length > 0) {
      yield* segmentPieces(reading, segment, Math.max(first, 0), Math.min(last, length - 1), depth);
    }
    first -= length;
    last -= length;
  }
}

function* segmentPieces(
  reading: Reading,
  segment: Segment,
  start: number,
  end: number,
  depth: number,
): Generator<Piece> {
  if ("data" in segment) {
    yield { from: { data: Buffer.from(segment.data, "base64") }, start, size: end - start + 1 };
    return;
  }
  const { tables, projectId, caller } = reading;
  const object = tables.objects.get(`${projectId}${segment.name}`);
  const container = object && tables.containers.get(object.containerId);
  if (object === undefined || container === undefined || isExpired(object) || !mayRead(caller, container)) {
    throw new SegmentError(`${segment.name} cannot be read`);
  }
  const offset = segment.range === undefined ? 0 : Number(segment.range.split("-")[0]);
  if (segment.sub_slo !== true) {
    if (object.etag !== segment.hash || object.size !== segment.bytes) {
      throw new SegmentError(`${segment.name} is not what it was`);
    }
    yield { from: { file: object.file }, start: offset + start, size: end - start + 1 };
    return;
  }
  if (depth >= maxDepth) throw new SegmentError(`${segment.name} lies too deep`);
  if (object.segments === undefined) throw new SegmentError(`${segment.name} is no manifest any more`);
  yield* staticPieces(reading, object.segments, offset + start, offset + end, depth + 1);
}

/** Bytes of a manifest's segment. */
function lengthOf(segment: Segment): number {
  if ("data" in segment) return Buffer.byteLength(segment.data, "base64");
  if (segment.range === undefined) return segment.bytes;
  const [first = 0, last = 0] = segment.range.split("-").map(Number);
  return last - first + 1;
}

/**
 * Reads pieces one after another; the first bytes are there when the stream is.
 * @param size bytes that they must come to
 * @throws SegmentError, also later, as the stream's error
 */
export async function readPieces(pieces: Iterable<Piece>, folder: string, size: number | undefined): Promise<Readable> {
  const chunks = contents(pieces, folder, size);
  const first = await chunks.next();
  async function* all() {
    if (!first.done) yield first.value;
    yield* chunks;
  }
  const stream = Readable.from(all(), { objectMode: false });
  // one that is closed before it is read has never asked for the rest
  return stream.once("close", () => void chunks.return());
}

async function* contents(
  pieces: Iterable<Piece>,
  folder: string,
  promised: number | undefined,
): AsyncGenerator<Buffer, void> {
  let sent = 0;
  for (const { from, start, size } of pieces) {
    sent += size;
    if ("data" in from) yield from.data.subarray(start, start + size);
    else if (size > 0)
      yield* (await opened(join(folder, from.file))).createReadStream({ start, end: start + size - 1 });
  }
  if (promised !== undefined && sent !== promised)
    throw new SegmentError(`${sent} bytes came in the place of ${promised}`);
}

async function opened(path: string) {
  try {
    return await open(path);
  } catch (error) {
    // replaced or deleted since it was looked up
    throw isErrno(error, "ENOENT") ? new SegmentError("the content is gone") : error;
  }
}
