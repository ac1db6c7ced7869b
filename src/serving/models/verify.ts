import { SlipwayError } from "../../common/errors.ts";
import { jsonElements } from "../tensors/json.ts";
import { GOLDEN_TOLERANCE, goldenInputs, requireGolden } from "./golden.ts";
import { type LoadedModel, type OnnxOptions, openOnnxModel, type Provider } from "./onnx-model.ts";
import { type ModelPackage, readPackage } from "./package.ts";

/**
 * Runs the package's golden rows through ONNX Runtime here.
 * @returns the numbers of the first output, row after row
 * @throws SlipwayError E_MODEL_MISMATCH when an output is farther from its golden one than the tolerance
 */
export async function verifyGolden(model: ModelPackage, tolerance = GOLDEN_TOLERANCE): Promise<number[]> {
  const loaded = await openOnnxModel(model.onnx);
  try {
    const [first] = await requireGolden(loaded, model.golden, tolerance);
    return first === undefined ? [] : jsonElements(first).filter((value) => typeof value === "number");
  } finally {
    await loaded.close();
  }
}

/** A package that can serve. */
export interface ServableModel extends LoadedModel, Provider {
  card: ModelPackage["card"];
  runtimeVersion: string;
}

/**
 * Loads an unpacked package so that it can serve: complete, untorn, answering its golden questions as it should, and warm.
 * @throws SlipwayError E_MODEL_INVALID, or E_GATE_FAILED for wrong answers
 */
export async function loadPackage(folder: string, options?: OnnxOptions): Promise<ServableModel> {
  const { card, onnx, golden } = await readPackage(folder);
  const model = await openOnnxModel(onnx, options);
  try {
    await requireGolden(model, golden);
    await model.run(goldenInputs(model, golden)); // the first run allocates, the second runs as all others will
  } catch (cause) {
    await model.close();
    throw new SlipwayError(
      "E_GATE_FAILED",
      `the model fails its golden rows on this host: ${(cause as Error).message}`,
      { cause },
    );
  }
  return { ...model, card };
}
