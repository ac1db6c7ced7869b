/** Bytes that are no message of Protocol Buffers, or hold more than any message of ours. */
export class WireError extends Error {
  override readonly name = "WireError";
}

/** How a field's value is written: https://protobuf.dev/programming-guides/encoding/ */
export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const LONGEST_VARINT = 10;

/** Reads the fields of a message one after the other. Bytes are views, not copies. Every method throws {@link WireError}. */
export class WireReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #type = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Of the field that {@link nextField} found. */
  get type(): number {
    return this.#type;
  }

  /** The next field's number; 0 at the end. Its value must be read or skipped before the next. */
  nextField(): number {
    if (this.#at >= this.#bytes.length) return 0;
    const key = this.number();
    this.#type = key & 7;
    const field = Math.floor(key / 8);
    if (field < 1 || field > 0x1fff_ffff) throw new WireError(`${field} is no field`);
    return field;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** A varint as a number; exact up to 2⁵³. Negative ones, which are 64 bits wide, come as such. */
  number(): number {
    let value = 0;
    for (let index = 0; index < 4; index++) {
      const byte = this.#bytes[this.#at + index];
      if (byte === undefined) throw new WireError("a number is cut off");
      value |= (byte & 0x7f) << (7 * index);
      if (byte < 0x80) {
        this.#at += index + 1;
        return value;
      }
    }
    return Number(BigInt.asIntN(64, this.bigint()));
  }

  /** A varint as an unsigned number of 64 bits. */
  bigint(): bigint {
    let low = 0;
    let high = 0;
    for (let index = 0; index < LONGEST_VARINT; index++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new WireError("a number is cut off");
      const bits = byte & 0x7f;
      if (index < 4) low += bits * 2 ** (7 * index);
      else high += bits * 2 ** (7 * (index - 4));
      if (byte < 0x80) return BigInt.asUintN(64, (BigInt(high) << 28n) + BigInt(low));
    }
    throw new WireError("a number is longer than 64 bits");
  }

  /** The bytes of a field that has a length. */
  bytes(): Uint8Array {
    this.#require(WireType.bytes);
    return this.take(this.number());
  }

  /** So many bytes as they are. */
  take(length: number): Uint8Array {
    if (!(length >= 0 && length <= this.#bytes.length - this.#at)) throw new WireError("a field is cut off");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** The bytes of the field's value as they are written, without a length. */
  value(): Uint8Array {
    const start = this.#at;
    switch (this.#type) {
      case WireType.varint:
        this.bigint();
        return this.#bytes.subarray(start, this.#at);
      case WireType.fixed64:
        return this.take(8);
      case WireType.fixed32:
        return this.take(4);
      case WireType.bytes:
        return this.bytes();
      default:
        throw new WireError(`a field of wire type ${this.#type}`);
    }
  }

  text(): string {
    const { buffer, byteOffset, length } = this.bytes();
    return Buffer.from(buffer as ArrayBuffer, byteOffset, length).toString("utf8");
  }

  varint(): number {
    this.#require(WireType.varint);
    return this.number();
  }

  double(): number {
    this.#require(WireType.fixed64);
    const { buffer, byteOffset } = this.take(8);
    return new DataView(buffer, byteOffset).getFloat64(0, true);
  }

  #require(type: number): void {
    if (this.#type !== type) throw new WireError(`a field of wire type ${this.#type}, not ${type}`);
  }
}

/** Writes the fields of a message. Long bytes are copied once, at the end. */
export class WireWriter {
  readonly #parts: Uint8Array[] = [];
  #small = Buffer.allocUnsafe(256);
  #used = 0;

  key(field: number, type: number): void {
    this.varint(field * 8 + type);
  }

  /** A whole number from 0 to 2⁵³. */
  varint(value: number): void {
    this.#reserve(LONGEST_VARINT);
    let rest = value;
    while (rest > 0x7f) {
      this.#small[this.#used++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#small[this.#used++] = rest;
  }

  /** A whole number of up to 64 bits; negative ones are written as 64 bits. */
  bigint(value: bigint): void {
    this.#reserve(LONGEST_VARINT);
    let rest = BigInt.asUintN(64, value);
    while (rest > 0x7fn) {
      this.#small[this.#used++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#small[this.#used++] = Number(rest);
  }

  bytes(field: number, bytes: Uint8Array): void {
    this.key(field, WireType.bytes);
    this.varint(bytes.length);
    if (bytes.length > LONG) {
      this.#flush();
      this.#parts.push(bytes);
      return;
    }
    this.#reserve(bytes.length);
    this.#small.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  double(value: number): void {
    this.#reserve(8);
    this.#used = this.#small.writeDoubleLE(value, this.#used);
  }

  finish(): Buffer {
    this.#flush();
    return this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
  }

  #reserve(length: number): void {
    if (this.#small.length - this.#used >= length) return;
    this.#flush();
    this.#small = Buffer.allocUnsafe(Math.max(length, 1024));
  }

  #flush(): void {
    if (this.#used > 0) this.#parts.push(this.#small.subarray(0, this.#used));
    this.#small = this.#small.subarray(this.#used);
    this.#used = 0;
  }
}

/** Longer bytes are not put together with small ones first. */
const LONG = 512;
