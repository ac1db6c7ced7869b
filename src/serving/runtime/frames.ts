import { messageOf } from "../../common/errors.ts";
import { DATATYPES } from "../tensors/datatypes.ts";
import { type RawTensor, requireWhole } from "../tensors/raw-tensor.ts";

/**
 * The wire form between a frontend and a runtime, little-endian throughout:
 *
 *     u32 length of all that follows · u32 kind · u32 id · u32 slot · u32 × 4 timing · body
 *
 * The runtime opens with one `hello`. An answer carries its question's id; answers come in any order. Timing (rows of the batch,
 * microseconds in the queue, microseconds of computing, 0) is 0 but in `predictions`.
 */
export const FrameKind = {
  /** Body: JSON, who the runtime is and what it serves. */
  hello: 1,
  /** Body: tensors in the order of the model's inputs. The slot names the model. */
  predict: 2,
  /** Body: tensors in the order of the model's outputs. */
  predictions: 3,
  /** Body: JSON `{reason, message}`, why there is no answer. */
  failure: 4,
  /** Body: JSON, the list of models that are served from now on. */
  models: 5,
  /** The runtime answers what it has and then goes. No body. */
  draining: 6,
  /** Body: JSON, something else than a prediction that is asked of the runtime. */
  command: 7,
  /** Body: JSON, what a command came to. */
  result: 8,
} as const;

/**
 * The version of the frames and of what their bodies say. A change that a peer of the version before does not understand makes another: a
 * release may have a frontend of one payload beside runtimes of another.
 */
export const PROTOCOL = 1;

/** How a prediction was computed. */
export interface Timing {
  /** Rows of the batch that the rows were part of. */
  batchRows: number;
  queueMicros: number;
  computeMicros: number;
}

export interface Frame {
  kind: number;
  id: number;
  slot: number;
  timing: Timing;
  body: Uint8Array;
}

const LENGTH_BYTES = 4;
/** What stands before the body. */
export const HEADER_BYTES = 32;
/** Tensors begin at multiples of it, so that numbers of any size can be read where they lie. */
const ALIGNMENT = 8;
const MOST_TENSORS = 256;
const HIGHEST_RANK = 16;
/** Longer frames are a broken or hostile peer: 64 MiB are two million rows of eight numbers. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024;

const untimed: Timing = { batchRows: 0, queueMicros: 0, computeMicros: 0 };
const MAX_U32 = 0xffff_ffff;

/** A peer that does not speak this protocol. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/** The bytes of a frame with a JSON body, or none. */
export function encodeFrame(kind: number, id: number, value?: unknown): Buffer {
  const body = value === undefined ? undefined : Buffer.from(JSON.stringify(value));
  const bytes = startFrame(kind, id, 0, untimed, body?.length ?? 0);
  if (body) bytes.set(body, HEADER_BYTES);
  return bytes;
}

/** The bytes of a frame of tensors. Throws {@link FrameError} for more than any reader takes. */
export function encodeTensors(
  kind: number,
  id: number,
  slot: number,
  tensors: readonly RawTensor[],
  timing: Timing = untimed,
): Buffer {
  const length = 8 + tensors.reduce((sum, { shape, bytes }) => sum + headBytes(shape.length) + padded(bytes.length), 0);
  const frame = startFrame(kind, id, slot, timing, length);
  let at = frame.writeUInt32LE(tensors.length, HEADER_BYTES);
  at = frame.writeUInt32LE(0, at);
  for (const { datatype, shape, bytes } of tensors) {
    const start = at + headBytes(shape.length);
    at = frame.writeUInt32LE(DATATYPES.indexOf(datatype), at);
    at = frame.writeUInt32LE(bytes.length, at);
    at = frame.writeUInt32LE(shape.length, at);
    for (const size of shape) at = frame.writeUInt32LE(size, at);
    frame.fill(0, at, start);
    frame.set(bytes, start);
    at = start + padded(bytes.length);
    frame.fill(0, start + bytes.length, at);
  }
  return frame;
}

/** The tensors in a body. Throws {@link FrameError} for one that holds none. */
export function tensorsIn(body: Uint8Array): RawTensor[] {
  const bytes = aligned(body);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const next = () => {
    if (at + 4 > bytes.length) throw new FrameError("a body ends within a tensor's head");
    at += 4;
    return view.getUint32(at - 4, true);
  };
  const count = next();
  next();
  if (count > MOST_TENSORS) throw new FrameError(`${count} tensors are no tensors`);
  return Array.from({ length: count }, () => {
    const head = at;
    const datatype = DATATYPES[next()];
    const length = next();
    const rank = next();
    if (datatype === undefined || rank > HIGHEST_RANK) throw new FrameError("a body holds what is no tensor");
    const shape = Array.from({ length: rank }, next);
    const start = head + headBytes(rank);
    at = start + padded(length);
    if (at > bytes.length) throw new FrameError("a body ends within a tensor");
    const tensor: RawTensor = { datatype, shape, bytes: bytes.subarray(start, start + length) };
    try {
      requireWhole(tensor);
    } catch (cause) {
      throw new FrameError(`a body holds a tensor that is none: ${messageOf(cause)}`, { cause });
    }
    return tensor;
  });
}

/** The JSON value in a body. Throws {@link FrameError}. */
export function jsonIn(body: Uint8Array): unknown {
  try {
    return JSON.parse(asBuffer(body).toString("utf8"));
  } catch (cause) {
    throw new FrameError("a frame's body is not JSON", { cause });
  }
}

/** Puts frames together again from a stream's chunks, however it was cut. */
export class FrameReader {
  #chunks: Uint8Array[] = [];
  #size = 0;
  /** Bytes that must be there before looking again is of use. */
  #needed = LENGTH_BYTES;

  /** The frames that this chunk completes. Throws {@link FrameError}; the stream is of no use then. */
  push(chunk: Uint8Array): Frame[] {
    this.#chunks.push(chunk);
    this.#size += chunk.byteLength;
    if (this.#size < this.#needed) return [];
    const frames: Frame[] = [];
    const bytes = this.#chunks.length === 1 ? asBuffer(chunk) : Buffer.concat(this.#chunks);
    let offset = 0;
    this.#needed = LENGTH_BYTES;
    while (bytes.length - offset >= LENGTH_BYTES) {
      const length = bytes.readUInt32LE(offset);
      if (length < HEADER_BYTES - LENGTH_BYTES || length > MAX_FRAME_BYTES) {
        throw new FrameError(`a frame of ${length} bytes is no frame`);
      }
      this.#needed = LENGTH_BYTES + length;
      if (bytes.length - offset < this.#needed) break;
      frames.push(decode(bytes.subarray(offset, offset + this.#needed)));
      offset += this.#needed;
      this.#needed = LENGTH_BYTES;
    }
    const rest = bytes.subarray(offset);
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#size = rest.length;
    return frames;
  }
}

function startFrame(kind: number, id: number, slot: number, timing: Timing, bodyBytes: number): Buffer {
  const length = HEADER_BYTES - LENGTH_BYTES + bodyBytes;
  if (length > MAX_FRAME_BYTES) throw new FrameError(`a frame of ${length} bytes is too long`);
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES + length);
  const { batchRows, queueMicros, computeMicros } = timing;
  let at = 0;
  for (const number of [length, kind, id, slot, batchRows, queueMicros, computeMicros, 0]) {
    at = bytes.writeUInt32LE(Math.min(number, MAX_U32), at);
  }
  return bytes;
}

function decode(bytes: Buffer): Frame {
  const at = (place: number) => bytes.readUInt32LE(place);
  return {
    kind: at(4),
    id: at(8),
    slot: at(12),
    timing: { batchRows: at(16), queueMicros: at(20), computeMicros: at(24) },
    body: bytes.subarray(HEADER_BYTES),
  };
}

/** Bytes from a tensor's first to its data's first. */
function headBytes(rank: number): number {
  return padded(12 + 4 * rank);
}

function padded(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

/** A body begins wherever the stream was cut. */
function aligned(body: Uint8Array): Uint8Array {
  if (body.byteOffset % ALIGNMENT === 0) return body;
  const copy = new Uint8Array(new ArrayBuffer(body.length));
  copy.set(body);
  return copy;
}

/** The same bytes, not copied. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
