/** A field of a protobuf message as it lies in the bytes. */
export interface Field {
  number: number;
  /** Of a varint; 0 for other fields. */
  value: number;
  /** Where the field begins, its tag included. */
  tagStart: number;
  /** Where its content begins and ends: of a message, text or bytes without their length. */
  start: number;
  end: number;
  /** Whether the content may be a message. */
  isDelimited: boolean;
}

/** Bytes that are no protobuf message. */
export class WireError extends Error {
  override readonly name = "WireError";
}

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;
const LONGEST_VARINT = 10;

/**
 * The fields of the message that lies between two places, in their order.
 * Format: https://protobuf.dev/programming-guides/encoding/. Groups, which no current schema has, are refused.
 * @throws WireError
 */
export function* fieldsOf(bytes: Uint8Array, from = 0, to: number = bytes.length): Generator<Field> {
  let at = from;
  const varint = () => {
    let value = 0;
    let scale = 1;
    for (let length = 0; length < LONGEST_VARINT; length++) {
      if (at >= to) throw new WireError("a number is cut off");
      const byte = bytes[at++] as number;
      value += (byte & 0x7f) * scale; // beyond 2⁵³ the last digits are lost: no length and no number that is looked at is so large
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new WireError("a number does not end");
  };
  while (at < to) {
    const tagStart = at;
    const tag = varint();
    const number = Math.floor(tag / 8);
    if (number < 1 || number > 0x1fff_ffff) throw new WireError(`there is no field ${number}`);
    const wire = tag % 8;
    let value = 0;
    let start = at;
    if (wire === VARINT) value = varint();
    else if (wire === FIXED64) at += 8;
    else if (wire === FIXED32) at += 4;
    else if (wire === DELIMITED) {
      const length = varint();
      start = at;
      at += length;
    } else throw new WireError(`field ${number} is of the unknown wire type ${wire}`);
    if (at > to) throw new WireError(`field ${number} is cut off`);
    yield { number, value, tagStart, start, end: at, isDelimited: wire === DELIMITED };
  }
}

const decoder = new TextDecoder();

/** A field's text. */
export function textOf(bytes: Uint8Array, { start, end }: Field): string {
  return decoder.decode(bytes.subarray(start, end));
}

/** The bytes of a varint. */
function varintBytes(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Uint8Array.from([...bytes, rest]);
}

/** The bytes that stand before a delimited field's content. */
export function delimitedHead(number: number, length: number): Uint8Array {
  return Uint8Array.from([...varintBytes(number * 8 + DELIMITED), ...varintBytes(length)]);
}
