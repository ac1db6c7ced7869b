import type { InferenceSession } from "onnxruntime-node";
import { messageOf, SlipwayError } from "../../common/errors.ts";

/** A model in ONNX Runtime: one float32 matrix in, one out. */
export interface OnnxModel {
  input: { name: string; width: number };
  output: { name: string; width: number };
  /** ONNX Runtime's version. */
  runtimeVersion: string;
  /** Computes the outputs of some rows, row after row. Blocks the thread while it computes. */
  run(values: Float32Array, rows: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/**
 * Loads an ONNX file into ONNX Runtime.
 * @param threads threads that share one batch
 * @throws SlipwayError E_MODEL_INVALID when it is none, or takes and answers something else than float32 rows
 */
export async function openOnnxModel(file: Uint8Array, threads = 1): Promise<OnnxModel> {
  // It would keep a device id and records of use in the user's cache and send them to its maker; what a user sets stays.
  process.env.ORT_DISABLE_TELEMETRY ??= "1";
  // Imported here: loading the native library costs what a command that touches no model should not pay.
  const { default: ort } = await import("onnxruntime-node");
  const session = await ort.InferenceSession.create(file, { intraOpNumThreads: threads, logSeverityLevel: 3 }).catch(
    (error: unknown) => {
      throw invalid(messageOf(error), error);
    },
  );
  const input = matrixIn(session.inputMetadata, "input");
  const output = matrixIn(session.outputMetadata, "output");
  return {
    input,
    output,
    runtimeVersion: ort.env.versions.node ?? ort.env.versions.common,
    run: async (values, rows) => {
      const feeds = { [input.name]: new ort.Tensor("float32", values, [rows, input.width]) };
      const { [output.name]: answer } = await session.run(feeds, [output.name]);
      return answer?.data as Float32Array;
    },
    close: () => session.release(),
  };
}

/** The first tensor that is a float32 matrix with a free number of rows; a network with a second input has no such form. */
function matrixIn(
  metadata: readonly InferenceSession.ValueMetadata[],
  side: "input" | "output",
): { name: string; width: number } {
  const form = metadata.map(
    (value) => `${value.name} ${value.isTensor ? `${value.type}[${value.shape}]` : "(no tensor)"}`,
  );
  if (side === "input" && metadata.length !== 1) throw invalid(`it has ${metadata.length} inputs: ${form.join(", ")}`);
  for (const value of metadata) {
    if (!value.isTensor || value.type !== "float32") continue;
    const [rows, width, ...more] = value.shape;
    if (typeof rows === "string" && typeof width === "number" && more.length === 0) return { name: value.name, width };
  }
  throw invalid(`its ${side} is not float32[rows, fixed width] with a free number of rows, but ${form.join(", ")}`);
}

function invalid(reason: string, cause?: unknown): SlipwayError {
  return new SlipwayError("E_MODEL_INVALID", `the ONNX model cannot be used: ${reason}`, {
    hint: "Export it with one float32 input [rows, features], the first dimension dynamic.",
    cause,
  });
}
