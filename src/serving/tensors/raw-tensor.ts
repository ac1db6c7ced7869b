import { arrayOf, type Datatype, elementBytes, type NumericArray, type NumericDatatype } from "./datatypes.ts";

/**
 * A tensor as it travels: little-endian (as are all platforms that ONNX Runtime's package supports), row-major. The elements of `BYTES`
 * stand each behind its length as u32, as in the binary extension of the Open Inference Protocol.
 */
export interface RawTensor {
  datatype: Datatype;
  /** Without free dimensions. */
  shape: number[];
  bytes: Uint8Array;
}

/** Bytes that are not the tensor that they claim to be. */
export class TensorError extends Error {
  override readonly name = "TensorError";
}

/** How many elements a shape has. */
export function elementsIn(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Numbers as a tensor, without a copy. */
export function tensorOf(datatype: NumericDatatype, shape: number[], values: NumericArray): RawTensor {
  return { datatype, shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/** Room for float32 numbers, whose first values are anything. A few of them share memory with others: a block of its own is dear. */
export function roomForFloats(length: number): Float32Array {
  const { buffer, byteOffset } = Buffer.allocUnsafe(length * Float32Array.BYTES_PER_ELEMENT);
  return new Float32Array(buffer, byteOffset, length);
}

/** Rows of float32 numbers as a tensor, without a copy. */
export function floatRows(values: Float32Array, rows: number): RawTensor {
  return tensorOf("FP32", [rows, values.length / rows], values);
}

/** A tensor's numbers; copied only where the bytes do not lie as their type needs. */
export function numbersIn({ datatype, bytes }: RawTensor): NumericArray {
  if (datatype === "BYTES") throw new TensorError("a BYTES tensor holds no numbers");
  const type = arrayOf(datatype);
  const size = type.BYTES_PER_ELEMENT;
  if (bytes.byteOffset % size === 0)
    return new type(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length / size);
  return new type(new Uint8Array(bytes).buffer); // `slice` of a Buffer would be no copy
}

/** The numbers of an FP32 tensor. Throws {@link TensorError} for another. */
export function floatsIn(tensor: RawTensor | undefined): Float32Array {
  if (tensor?.datatype !== "FP32") throw new TensorError(`float32 numbers are wanted, not ${tensor?.datatype}`);
  return numbersIn(tensor) as Float32Array;
}

/** Texts as a `BYTES` tensor of one dimension. */
export function textTensor(texts: readonly string[]): RawTensor {
  return { datatype: "BYTES", shape: [texts.length], bytes: joinElements(texts.map((text) => Buffer.from(text))) };
}

/** The elements of a `BYTES` tensor. Throws {@link TensorError} where their lengths do not fit the bytes. */
export function elementsOf({ bytes }: RawTensor): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = at + 4 <= bytes.length ? at + 4 + view.getUint32(at, true) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) throw new TensorError("a BYTES tensor ends within an element");
    elements.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return elements;
}

/** Byte strings as the bytes of a `BYTES` tensor. */
export function joinElements(elements: readonly Uint8Array[]): Uint8Array {
  const joined = Buffer.allocUnsafe(elements.reduce((sum, element) => sum + 4 + element.length, 0));
  let at = 0;
  for (const element of elements) {
    at = joined.writeUInt32LE(element.length, at);
    joined.set(element, at);
    at += element.length;
  }
  return joined;
}

/** Throws {@link TensorError} unless there are as many bytes as the shape has elements. */
export function requireWhole({ datatype, shape, bytes }: RawTensor): void {
  const elements = elementsIn(shape);
  const size = elementBytes(datatype);
  if (size !== undefined) {
    if (bytes.length === elements * size) return;
    throw new TensorError(`[${shape}] of ${datatype} is ${elements * size} bytes, not ${bytes.length}`);
  }
  const found = countElements(bytes);
  if (found !== elements) throw new TensorError(`[${shape}] of ${datatype} has ${elements} elements, not ${found}`);
}

/** How many elements `BYTES` has, without an object for each: a few bytes may claim millions. */
function countElements(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let count = 0;
  let at = 0;
  while (at < bytes.length) {
    const end = at + 4 <= bytes.length ? at + 4 + view.getUint32(at, true) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) throw new TensorError("a BYTES tensor ends within an element");
    at = end;
    count++;
  }
  return count;
}

/** Tensors one after the other along the first axis. They must agree in everything else. */
export function joinRows(tensors: readonly RawTensor[]): RawTensor {
  const [first] = tensors;
  if (first === undefined) throw new TensorError("nothing to join");
  if (tensors.length === 1) return first;
  // a slice of a pool need not lie as eight-byte numbers do; a buffer of its own does
  const bytes = new Uint8Array(new ArrayBuffer(tensors.reduce((sum, tensor) => sum + tensor.bytes.length, 0)));
  let at = 0;
  let rows = 0;
  for (const tensor of tensors) {
    bytes.set(tensor.bytes, at);
    at += tensor.bytes.length;
    rows += tensor.shape[0] as number;
  }
  return { datatype: first.datatype, shape: [rows, ...first.shape.slice(1)], bytes };
}

/** Cuts a tensor along the first axis into parts of so many rows, without a copy. The counts must sum up to its rows. */
export function splitRows({ datatype, shape, bytes }: RawTensor, counts: readonly number[]): RawTensor[] {
  if (counts.length === 1) return [{ datatype, shape, bytes }];
  const inner = shape.slice(1);
  const widthOf = rowWidth({ datatype, shape, bytes });
  let at = 0;
  let row = 0;
  return counts.map((rows) => {
    const end = at + widthOf(row, rows, at);
    // `subarray` would ask the class of the bytes what to make
    const part = {
      datatype,
      shape: [rows, ...inner],
      bytes: new Uint8Array(bytes.buffer, bytes.byteOffset + at, end - at),
    };
    at = end;
    row += rows;
    return part;
  });
}

/** How many bytes some rows take that begin at a place. */
function rowWidth(tensor: RawTensor): (row: number, rows: number, at: number) => number {
  const perRow = elementsIn(tensor.shape.slice(1));
  const size = elementBytes(tensor.datatype);
  if (size !== undefined) return (_row, rows) => rows * perRow * size;
  const lengths = elementsOf(tensor).map((element) => 4 + element.length);
  return (row, rows) => lengths.slice(row * perRow, (row + rows) * perRow).reduce((sum, length) => sum + length, 0);
}
