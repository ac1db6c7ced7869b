import { WireError, WireReader, WireType, WireWriter } from "./wire.ts";

/** A field of a message: its number, and how its value is read and written. */
export interface Field<T> {
  number: number;
  /** What it is where it was not written. */
  zero(): T;
  read(reader: WireReader, old: T): T;
  /** Writes nothing for what is zero. */
  write(writer: WireWriter, value: T): void;
}

// biome-ignore lint/suspicious/noExplicitAny: fields of any values stand side by side
export type Fields = Record<string, Field<any>>;

/** A message's values by the names of its fields, all there. */
export type Values<F extends Fields> = { [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** A message as it travels. */
export interface Message<F extends Fields> {
  fields: F;
  /** Throws {@link WireError}. Fields that are not known are skipped. */
  decode(bytes: Uint8Array): Values<F>;
  encode(values: Partial<Values<F>>): Buffer;
}

/** Repeated messages, texts and map entries that are read; more is no message of ours. */
const MOST_REPEATED = 1024;
/** Numbers of a list that is read one by one. */
const MOST_NUMBERS = 64;

export function message<F extends Fields>(fields: F): Message<F> {
  const byNumber = new Map(Object.entries(fields).map(([key, field]) => [field.number, { key, field }]));
  return {
    fields,
    decode: (bytes) => {
      const values: Record<string, unknown> = {};
      for (const [key, field] of Object.entries(fields)) values[key] = field.zero();
      const reader = new WireReader(bytes);
      for (let number = reader.nextField(); number !== 0; number = reader.nextField()) {
        const known = byNumber.get(number);
        if (known) values[known.key] = known.field.read(reader, values[known.key]);
        else reader.value();
      }
      return values as Values<F>;
    },
    encode: (values) => {
      const writer = new WireWriter();
      for (const [key, field] of Object.entries(fields)) {
        if (values[key] !== undefined) field.write(writer, values[key]);
      }
      return writer.finish();
    },
  };
}

/** A field of one value, which is written unless it is zero. */
interface Scalar<T> extends Field<T> {
  put(writer: WireWriter, value: T): void;
}

function scalar<T>(
  number: number,
  zero: T,
  read: (reader: WireReader) => T,
  put: (writer: WireWriter, value: T) => void,
): Scalar<T> {
  const write = (writer: WireWriter, value: T) => {
    if (value !== zero) put(writer, value);
  };
  return { number, zero: () => zero, read, write, put };
}

export function string(number: number): Scalar<string> {
  const put = (writer: WireWriter, value: string) => writer.bytes(number, Buffer.from(value));
  return scalar(number, "", (reader) => reader.text(), put);
}

export function bool(number: number): Scalar<boolean> {
  const put = (writer: WireWriter, value: boolean) => writeVarint(writer, number, Number(value));
  return scalar(number, false, (reader) => reader.varint() !== 0, put);
}

/** A whole number, exact up to 2⁵³; written ones are not negative. */
export function whole(number: number): Scalar<number> {
  const put = (writer: WireWriter, value: number) => writeVarint(writer, number, value);
  return scalar(number, 0, (reader) => reader.varint(), put);
}

export function double(number: number): Scalar<number> {
  const put = (writer: WireWriter, value: number) => {
    writer.key(number, WireType.fixed64);
    writer.double(value);
  };
  return scalar(number, 0, (reader) => reader.double(), put);
}

/** A byte string, which is a view into the message. */
export function bytes(number: number): Scalar<Uint8Array> {
  const put = (writer: WireWriter, value: Uint8Array) => writer.bytes(number, value);
  return scalar(number, new Uint8Array(0), (reader) => reader.bytes(), put);
}

/** One of several fields that exclude each other: absent is something else than zero. */
export function optional<T>({ number, read, put }: Scalar<T>): Field<T | undefined> {
  return {
    number,
    zero: () => undefined,
    read: (reader) => read(reader, undefined as T),
    write: (writer, value) => {
      if (value !== undefined) put(writer, value);
    },
  };
}

/** A message within a message; read twice, the last one counts. */
export function nested<F extends Fields>(number: number, inner: Message<F>): Field<Partial<Values<F>> | undefined> {
  return {
    number,
    zero: () => undefined,
    read: (reader) => inner.decode(reader.bytes()),
    write: (writer, value) => {
      if (value !== undefined) writer.bytes(number, inner.encode(value));
    },
  };
}

/** Messages one after the other. */
export function messages<F extends Fields>(number: number, inner: Message<F>): Field<Partial<Values<F>>[]> {
  return {
    number,
    zero: () => [],
    read: (reader, old) => pushed(old, inner.decode(reader.bytes())),
    write: (writer, values) => {
      for (const value of values) writer.bytes(number, inner.encode(value));
    },
  };
}

export function strings(number: number): Field<string[]> {
  return {
    number,
    zero: () => [],
    read: (reader, old) => pushed(old, reader.text()),
    write: (writer, values) => {
      for (const value of values) writer.bytes(number, Buffer.from(value));
    },
  };
}

/** Byte strings, which are views into the message. */
export function byteStrings(number: number): Field<Uint8Array[]> {
  return {
    number,
    zero: () => [],
    read: (reader, old) => pushed(old, reader.bytes()),
    write: (writer, values) => {
      for (const value of values) writer.bytes(number, value);
    },
  };
}

/** A short list of whole numbers; -1 and above are written. */
export function wholes(number: number): Field<number[]> {
  return {
    number,
    zero: () => [],
    read: (reader, old) => {
      if (reader.type === WireType.varint) return pushed(old, reader.varint(), MOST_NUMBERS);
      const list = new WireReader(reader.bytes());
      while (!list.done) pushed(old, list.number(), MOST_NUMBERS);
      return old;
    },
    write: (writer, values) => {
      if (values.length === 0) return;
      const list = new WireWriter();
      for (const value of values) list.bigint(BigInt(value));
      writer.bytes(number, list.finish());
    },
  };
}

/** A long list of numbers as its elements' bytes one behind the other, as Protocol Buffers write them. */
export function packed(number: number): Field<Gathered> {
  return {
    number,
    zero: () => new Gathered(),
    read: (reader, old) => old.append(reader.value()),
    write: (writer, { bytes }) => {
      if (bytes.length > 0) writer.bytes(number, bytes);
    },
  };
}

/** A long list of byte strings, read as the elements of a BYTES tensor: each behind its length as u32. */
export function elements(number: number): Field<Gathered> {
  return {
    number,
    zero: () => new Gathered(),
    read: (reader, old) => {
      const bytes = reader.bytes();
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, bytes.length, true);
      return old.append(length).append(bytes);
    },
    write: (writer, { bytes }) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at < bytes.length; ) {
        const end = at + 4 + view.getUint32(at, true);
        writer.bytes(number, bytes.subarray(at + 4, end));
        at = end;
      }
    },
  };
}

/** A map from texts to messages. */
export function map<F extends Fields>(number: number, inner: Message<F>): Field<Map<string, Partial<Values<F>>>> {
  const entry = message({ key: string(1), value: nested(2, inner) });
  return {
    number,
    zero: () => new Map(),
    read: (reader, old) => {
      const { key, value } = entry.decode(reader.bytes());
      if (old.size >= MOST_REPEATED) throw tooMany();
      return old.set(key, value ?? {});
    },
    write: (writer, values) => {
      for (const [key, value] of values) writer.bytes(number, entry.encode({ key, value }));
    },
  };
}

/** Bytes that come in pieces: one piece is a view, several are put together without an object for each. */
export class Gathered {
  #bytes: Uint8Array;
  #length: number;
  #own = false;

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#bytes = bytes;
    this.#length = bytes.length;
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  append(piece: Uint8Array): this {
    if (this.#length === 0) {
      this.#bytes = piece;
      this.#length = piece.length;
      this.#own = false;
      return this;
    }
    const length = this.#length + piece.length;
    if (!this.#own || length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(2 * length, 64));
      larger.set(this.bytes);
      this.#bytes = larger;
      this.#own = true;
    }
    this.#bytes.set(piece, this.#length);
    this.#length = length;
    return this;
  }
}

function writeVarint(writer: WireWriter, field: number, value: number): void {
  writer.key(field, WireType.varint);
  writer.varint(value);
}

function pushed<T>(list: T[], value: T, most = MOST_REPEATED): T[] {
  if (list.length >= most) throw tooMany();
  list.push(value);
  return list;
}

function tooMany(): WireError {
  return new WireError("a list is longer than any that is read here");
}
