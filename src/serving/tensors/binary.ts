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

/**
 * In one pass over a copy whose lengths are zeros: these are characters of their own, so that no character goes on from one element into
 * the next. A view for each element would cost a second where there are millions.
 */
function requireTexts(bytes: Uint8Array): void {
  const texts = new Uint8Array(bytes);
  const view = new DataView(texts.buffer);
  for (let at = 0; at < texts.length; ) {
    const end = at + 4 + view.getUint32(at, true);
    view.setUint32(at, 0);
    at = end;
  }
  if (!isUtf8(texts)) throw new TensorError("an element is not UTF-8");
}
