/**
 * The wire form between a frontend and its runtime, little-endian throughout:
 *
 *     u32 length of all that follows · u32 kind · u32 id · u32 rows · body
 *
 * The runtime opens with one `hello`. An answer carries its question's id; answers come in any order.
 */
export const FrameKind = {
  /** Body: JSON, what the runtime serves. Rows and id are 0. */
  hello: 1,
  /** Body: rows × input width float32, row after row. */
  predict: 2,
  /** Body: rows × output width float32. */
  predictions: 3,
  /** Body: JSON `{reason, message}`, why there is no answer. */
  failure: 4,
} as const;

export interface Frame {
  kind: number;
  id: number;
  rows: number;
  body: Uint8Array;
}

const LENGTH_BYTES = 4;
const HEADER_BYTES = 16;
/** Longer frames are a broken or hostile peer: 64 MiB are two million rows of eight numbers. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024;

/** A peer that does not speak this protocol. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/** The frame's bytes. Throws {@link FrameError} for a body that no reader would take. */
export function encodeFrame({ kind, id, rows, body }: Frame): Buffer {
  const length = HEADER_BYTES - LENGTH_BYTES + body.byteLength;
  if (length > MAX_FRAME_BYTES) throw new FrameError(`a frame of ${length} bytes is too long`);
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES + length);
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt32LE(kind, 4);
  bytes.writeUInt32LE(id, 8);
  bytes.writeUInt32LE(rows, 12);
  bytes.set(body, HEADER_BYTES);
  return bytes;
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

function decode(bytes: Buffer): Frame {
  return {
    kind: bytes.readUInt32LE(4),
    id: bytes.readUInt32LE(8),
    rows: bytes.readUInt32LE(12),
    body: bytes.subarray(HEADER_BYTES),
  };
}

/** A body's numbers; copied, because a body starts wherever the stream was cut and float32 must be aligned. */
export function floatsIn(body: Uint8Array): Float32Array {
  return new Float32Array(body.buffer.slice(body.byteOffset, body.byteOffset + body.byteLength));
}

/** Numbers as a body, without a copy. */
export function bodyOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** A JSON value as a body. */
export function jsonBody(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

/** The JSON value in a body. Throws {@link FrameError}. */
export function jsonIn(body: Uint8Array): unknown {
  try {
    return JSON.parse(asBuffer(body).toString("utf8"));
  } catch (cause) {
    throw new FrameError("a frame's body is not JSON", { cause });
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
