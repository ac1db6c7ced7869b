/**
 * The datatypes of the Open Inference Protocol v2, and what holds their elements in memory. FP16 travels as 16 raw bits.
 * Source: https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md#tensor-data-types
 */
const table = {
  BOOL: { bytes: 1, array: Uint8Array },
  UINT8: { bytes: 1, array: Uint8Array },
  UINT16: { bytes: 2, array: Uint16Array },
  UINT32: { bytes: 4, array: Uint32Array },
  UINT64: { bytes: 8, array: BigUint64Array },
  INT8: { bytes: 1, array: Int8Array },
  INT16: { bytes: 2, array: Int16Array },
  INT32: { bytes: 4, array: Int32Array },
  INT64: { bytes: 8, array: BigInt64Array },
  FP16: { bytes: 2, array: Uint16Array },
  FP32: { bytes: 4, array: Float32Array },
  FP64: { bytes: 8, array: Float64Array },
} as const;

/** Elements of fixed size. */
export type NumericDatatype = keyof typeof table;
/** `BYTES` elements are byte strings of any length, each behind its length as u32. */
export type Datatype = NumericDatatype | "BYTES";

/** In the order of their codes on the wire: append only. */
export const DATATYPES = [...(Object.keys(table) as NumericDatatype[]), "BYTES"] as const satisfies Datatype[];

/** An array of a datatype's elements. */
export type NumericArray =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

/** Bytes of one element; undefined for `BYTES`, whose elements differ. */
export function elementBytes(datatype: Datatype): number | undefined {
  return datatype === "BYTES" ? undefined : table[datatype].bytes;
}

/** The class of arrays that hold a datatype's elements. */
export function arrayOf(datatype: NumericDatatype): (typeof table)[NumericDatatype]["array"] {
  return table[datatype].array;
}
