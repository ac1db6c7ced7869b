import { join } from "node:path";
import { SlipwayError } from "../../common/errors.ts";
import { jsonElements } from "../tensors/json.ts";
import type { ModelCard } from "./card.ts";
import { functionFormSchema } from "./function/form.ts";
import { openFunctionModel } from "./function/function-model.ts";
import { goldenInputs, requireGolden } from "./golden.ts";
import { type LoadedModel, type OnnxOptions, openOnnxModel, type Provider } from "./onnx-model.ts";
import { FUNCTION, type ModelPackage, readPackage } from "./package.ts";

/**
 * Runs the package's golden rows through ONNX Runtime here.
 * @returns the numbers of the first output, row after row
 * @throws SlipwayError E_MODEL_MISMATCH when an output is farther from its golden one than the tolerance
 */
export async function verifyGolden(model: ModelPackage): Promise<number[]> {
  const loaded = await openOnnxModel(model.onnx);
  try {
    const [first] = await requireGolden(loaded, model.golden);
    return first === undefined ? [] : jsonElements(first).filter((value) => typeof value === "number");
  } finally {
    await loaded.close();
  }
}

/** How a package is loaded, whatever its kind. */
export interface LoadOptions extends OnnxOptions {
  /** What a function prints. */
  onLine?: (line: string) => void;
  /** In place of what a function's card has. */
  limits?: { [Limit in "timeoutMs" | "memoryMiB" | "concurrency"]?: number | undefined };
}

/** A package that can serve. */
export interface ServableModel extends LoadedModel, Provider {
  card: ModelCard;
  /** ONNX Runtime's version; Node's for a function. */
  runtimeVersion: string;
}

/**
 * Loads an unpacked package so that it can serve: complete, untorn, answering its golden questions as it should, and warm.
 * @throws SlipwayError E_MODEL_INVALID, or E_GATE_FAILED for wrong answers
 */
export async function loadPackage(folder: string, options: LoadOptions = {}): Promise<ServableModel> {
  const parts = await readPackage(folder);
  const { card, golden } = parts;
  const model = "onnx" in parts ? await openOnnxModel(parts.onnx, options) : await openFunction(folder, card, options);
  try {
    await requireGolden(model, golden);
    // the first run allocates, the second runs as all others will; what a function does besides answering it does once
    if ("onnx" in parts) await model.run(goldenInputs(model, golden));
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

async function openFunction(folder: string, card: ModelCard, { onLine, limits }: LoadOptions) {
  const form = functionFormSchema.parse({ ...card.function, ...limits });
  const model = await openFunctionModel(join(folder, FUNCTION), { form, ...(onLine && { onLine }) });
  return { ...model, provider: "cpu" as const, runtimeVersion: `node ${process.version}` };
}
