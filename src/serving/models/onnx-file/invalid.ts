import { SlipwayError } from "../../../common/errors.ts";

/** An ONNX file that is not taken. */
export function invalidOnnx(
  reason: string,
  hint = "Export it again; the first dimension of each input and output dynamic, so that rows can be computed together.",
  cause?: unknown,
): SlipwayError {
  return new SlipwayError("E_MODEL_INVALID", `the ONNX model cannot be used: ${reason}`, { hint, cause });
}
