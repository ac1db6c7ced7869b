import { isUtf8 } from "node:buffer";
import type { Datatype } from "./datatypes.ts";
import { type RawTensor, requireWhole, TensorError } from "./raw-tensor.ts";

/**
 * A tensor from the bytes that a caller sent for it, without a copy. What would be no element of its datatype is refused: BOOL is 0 or 1,
 * and BYTES elements are UTF-8, as ONNX Runtime and functions take them.
 * @throws TensorError
 */
export function tensorFromBytes(datatype: Datatype, shape: number[], bytes: Uint8Array): RawTensor {
  const tensor = { datatype, shape, bytes };
  requireWhole(tensor);
  if (datatype === "BOOL") requireBooleans(bytes);
  if (datatype === "BYTES") requireTexts(bytes);
  return tensor;
}

function requireBooleans(bytes: Uint8Array): void {
  for (let index = 0; index < bytes.length; index++) {
    if ((bytes[index] as number) > 1)
      throw new TensorError(`element ${index + 1} is ${bytes[index]}, which is no BOOL`);
  }
}

function requireTexts(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0, index = 1; at < bytes.length; index++) {
    const end = at + 4 + view.getUint32(at, true);
    if (!isUtf8(bytes.subarray(at + 4, end))) throw new TensorError(`element ${index} is not UTF-8`);
    at = end;
  }
}
