import { described } from "../../common/text.ts";
import { arrayOf, type Datatype, type NumericArray, type NumericDatatype } from "./datatypes.ts";
import { elementsIn, elementsOf, numbersIn, type RawTensor, TensorError, tensorOf, textTensor } from "./raw-tensor.ts";

/** Whole numbers of a datatype: lowest, highest. */
const wholeRanges: Partial<Record<Datatype, readonly [number, number]>> = {
  UINT8: [0, 0xff],
  UINT16: [0, 0xffff],
  UINT32: [0, 0xffff_ffff],
  INT8: [-0x80, 0x7f],
  INT16: [-0x8000, 0x7fff],
  INT32: [-0x8000_0000, 0x7fff_ffff],
};
const longRanges: Partial<Record<Datatype, readonly [bigint, bigint]>> = {
  UINT64: [0n, 2n ** 64n - 1n],
  INT64: [-(2n ** 63n), 2n ** 63n - 1n],
};
const DEEPEST = 16;

/**
 * A tensor from the data of a JSON request, flat or nested as its shape. 64-bit integers beyond 2⁵³ may be written as strings.
 * @throws TensorError naming the first element that does not fit, or how the number of elements differs from the shape
 */
export function tensorFromJson(datatype: Datatype, shape: number[], data: unknown): RawTensor {
  if (!Array.isArray(data)) throw new TensorError("data is no list");
  const elements = elementsIn(shape);
  const flat = Array.isArray(data[0]) ? flattened(data, shape) : data;
  if (flat.length !== elements) throw new TensorError(`[${shape}] has ${elements} elements, data has ${flat.length}`);
  return datatype === "BYTES"
    ? { ...textTensor(flat.map(textElement)), shape }
    : tensorOf(datatype, shape, numericArray(datatype, flat));
}

/** A tensor's elements as JSON has them, flat. What JSON has no number for (NaN, infinities) is null, longer integers are strings. */
export function jsonElements(tensor: RawTensor): unknown[] {
  switch (tensor.datatype) {
    case "BYTES":
      return elementsOf(tensor).map((element) => Buffer.from(element).toString("utf8"));
    case "BOOL":
      return Array.from(numbersIn(tensor) as Uint8Array, (element) => element !== 0);
    case "UINT64":
    case "INT64":
      return Array.from(numbersIn(tensor) as BigInt64Array, (element) => {
        const number = Number(element);
        return Number.isSafeInteger(number) ? number : String(element);
      });
    case "FP16":
      return Array.from(halfNumbers(tensor));
    default:
      return Array.from(numbersIn(tensor) as Float32Array);
  }
}

/** The numbers of an FP16 tensor. */
function halfNumbers(tensor: RawTensor): Float16Array {
  const bits = numbersIn(tensor) as Uint16Array;
  return new Float16Array(bits.buffer as ArrayBuffer, bits.byteOffset, bits.length);
}

function numericArray(datatype: NumericDatatype, flat: unknown[]): NumericArray {
  switch (datatype) {
    case "FP32":
      return floats(new Float32Array(flat.length), flat, datatype);
    case "FP64":
      return floats(new Float64Array(flat.length), flat, datatype);
    case "FP16":
      return new Uint16Array(floats(new Float16Array(flat.length), flat, datatype).buffer);
    case "BOOL":
      return Uint8Array.from(flat, (element, index) => {
        if (element === true || element === 1) return 1;
        if (element === false || element === 0) return 0;
        throw misfit(element, index, datatype);
      });
    case "UINT64":
    case "INT64": {
      const values = flat.map((element, index) => longElement(element, index, datatype));
      return datatype === "INT64" ? BigInt64Array.from(values) : BigUint64Array.from(values);
    }
    default: {
      const [lowest, highest] = wholeRanges[datatype] as readonly [number, number];
      const array = new (arrayOf(datatype))(flat.length) as Int32Array;
      for (const [index, element] of flat.entries()) {
        if (typeof element !== "number" || !Number.isInteger(element) || element < lowest || element > highest) {
          throw misfit(element, index, datatype);
        }
        array[index] = element;
      }
      return array;
    }
  }
}

function floats<A extends Float16Array | Float32Array | Float64Array>(
  array: A,
  flat: unknown[],
  datatype: Datatype,
): A {
  for (let index = 0; index < flat.length; index++) {
    const element = flat[index];
    if (typeof element !== "number") throw misfit(element, index, datatype);
    array[index] = element;
    if (!Number.isFinite(array[index] as number)) throw misfit(element, index, datatype);
  }
  return array;
}

function longElement(element: unknown, index: number, datatype: "INT64" | "UINT64"): bigint {
  const [lowest, highest] = longRanges[datatype] as readonly [bigint, bigint];
  const isWhole = Number.isSafeInteger(element) || (typeof element === "string" && /^-?\d{1,20}$/.test(element));
  const value = isWhole ? BigInt(element as number | string) : undefined;
  if (value === undefined || value < lowest || value > highest) throw misfit(element, index, datatype);
  return value;
}

function textElement(element: unknown, index: number): string {
  if (typeof element === "string") return element;
  throw misfit(element, index, "BYTES");
}

function misfit(element: unknown, index: number, datatype: Datatype): TensorError {
  return new TensorError(`element ${index + 1} is ${described(element)}, which is no ${datatype}`);
}

/** Nested lists one after the other; each must be as long as the shape says. */
function flattened(data: unknown[], shape: number[]): unknown[] {
  if (shape.length > DEEPEST) throw new TensorError(`a shape of ${shape.length} dimensions is not taken`);
  const flat: unknown[] = [];
  const visit = (value: unknown, depth: number): void => {
    if (!Array.isArray(value) || value.length !== shape[depth]) {
      throw new TensorError(`data is not nested as its shape [${shape}]`);
    }
    if (depth === shape.length - 1) for (let index = 0; index < value.length; index++) flat.push(value[index]);
    else for (const inner of value) visit(inner, depth + 1);
  };
  visit(data, 0);
  return flat;
}
