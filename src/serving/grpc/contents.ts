import { invalidRequest } from "../inference/question.ts";
import { tensorFromBytes } from "../tensors/binary.ts";
import { arrayOf, type Datatype, type NumericDatatype } from "../tensors/datatypes.ts";
import { elementsIn, numbersIn, type RawTensor, TensorError, tensorOf } from "../tensors/raw-tensor.ts";
import { Gathered } from "./codec.ts";
import type { Contents } from "./messages.ts";
import { WireReader, WireWriter } from "./wire.ts";

/** The field that holds a datatype's elements; FP16 has none, and travels as bytes alone. */
const fields: Partial<Record<Datatype, keyof Contents>> = {
  BOOL: "bool",
  INT8: "int",
  INT16: "int",
  INT32: "int",
  INT64: "int64",
  UINT8: "uint",
  UINT16: "uint",
  UINT32: "uint",
  UINT64: "uint64",
  FP32: "fp32",
  FP64: "fp64",
  BYTES: "bytes",
};

/** Whether a tensor of this datatype can be written as contents. */
export function hasContents(datatype: Datatype): boolean {
  return fields[datatype] !== undefined;
}

/** A tensor from contents; floating point numbers and texts lie there as a tensor has them. Throws TensorError, HttpError 400. */
export function tensorFromContents(datatype: Datatype, shape: number[], contents: Contents): RawTensor {
  const field = fields[datatype];
  if (field === undefined) throw new TensorError(`${datatype} has no contents: it is sent in raw_input_contents`);
  for (const [name, gathered] of Object.entries(contents)) {
    if (name !== field && gathered.bytes.length > 0)
      throw invalidRequest(`${datatype} is not read from ${name}_contents`);
  }
  const { bytes } = contents[field] ?? new Gathered();
  if (field === "fp32" || field === "fp64" || field === "bytes") return tensorFromBytes(datatype, shape, bytes);
  return { ...numbersFrom(datatype as NumericDatatype, elementsIn(shape), bytes), shape };
}

/** A tensor as contents. FP16 has none. */
export function contentsOf(tensor: RawTensor): Contents {
  const field = fields[tensor.datatype];
  if (field === undefined) return {};
  if (field === "fp32" || field === "fp64" || field === "bytes") return { [field]: new Gathered(tensor.bytes) };
  const writer = new WireWriter();
  for (const value of numbersIn(tensor)) writer.bigint(BigInt(value));
  return { [field]: new Gathered(writer.finish()) };
}

/** Varints as a tensor's numbers. They are counted before there is room for them. */
function numbersFrom(datatype: NumericDatatype, expected: number, bytes: Uint8Array): RawTensor {
  let found = 0;
  for (const byte of bytes) if (byte < 0x80) found++;
  if (found !== expected) throw new TensorError(`the shape has ${expected} elements, the contents ${found}`);
  const array = new (arrayOf(datatype))(expected) as Int32Array;
  const isLong = datatype === "INT64" || datatype === "UINT64";
  const reader = new WireReader(bytes);
  for (let index = 0; index < expected; index++) {
    if (isLong) {
      (array as unknown as BigInt64Array)[index] = reader.bigint();
      continue;
    }
    const value = datatype === "BOOL" ? Number(reader.number() !== 0) : reader.number();
    array[index] = value;
    if (array[index] !== value) throw new TensorError(`element ${index + 1} is ${value}, which is no ${datatype}`);
  }
  return tensorOf(datatype, [expected], array);
}
