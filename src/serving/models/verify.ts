import { SlipwayError } from "../../common/errors.ts";
import { GOLDEN_TOLERANCE, requireGolden } from "./golden.ts";
import { type OnnxModel, openOnnxModel } from "./onnx-model.ts";
import { type ModelPackage, readPackage } from "./package.ts";

/**
 * Runs the package's golden rows through ONNX Runtime here.
 * @returns the computed outputs, row after row
 * @throws SlipwayError E_MODEL_MISMATCH when an output is farther from its golden one than the tolerance
 */
export async function verifyGolden(model: ModelPackage, tolerance = GOLDEN_TOLERANCE): Promise<number[]> {
  const loaded = await openOnnxModel(model.onnx);
  try {
    return await requireGolden(loaded, model.golden, tolerance);
  } finally {
    await loaded.close();
  }
}

/**
 * Loads an unpacked package so that it can serve: complete, untorn, and answering its golden rows as it should.
 * @throws SlipwayError E_MODEL_INVALID, or E_GATE_FAILED for wrong answers
 */
export async function loadPackage(
  folder: string,
  threads?: number,
): Promise<{ card: ModelPackage["card"]; model: OnnxModel }> {
  const { card, onnx, golden } = await readPackage(folder);
  const model = await openOnnxModel(onnx, threads);
  try {
    await requireGolden(model, golden);
  } catch (cause) {
    await model.close();
    throw new SlipwayError(
      "E_GATE_FAILED",
      `the model fails its golden rows on this host: ${(cause as Error).message}`,
      { cause },
    );
  }
  return { card, model };
}
