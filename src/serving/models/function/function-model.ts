import { messageOf, SlipwayError } from "../../../common/errors.ts";
import { elementsOf, textTensor } from "../../tensors/raw-tensor.ts";
import type { GoldenSubject } from "../golden.ts";
import type { LoadedModel } from "../onnx-model.ts";
import { areAlike } from "./alike.ts";
import { FunctionCaller } from "./caller.ts";
import { descriptionSchema, FUNCTION_INPUTS, FUNCTION_OUTPUTS, type FunctionDescription } from "./contract.ts";
import type { FunctionForm } from "./form.ts";

/** A function that can be called as a model. */
export interface FunctionModel extends LoadedModel, Pick<GoldenSubject, "areAlike"> {
  description: FunctionDescription;
}

/** How a function model is opened. */
export interface FunctionOptions {
  /** As the card has it. */
  form?: FunctionForm;
  /** The module before it was bundled, to describe it by. */
  original?: string;
  /** What the function prints. */
  onLine?: (line: string) => void;
}

/** For a module that is not described yet. */
const IMPORT_MIB = 1024;
const IMPORT_MS = 30_000;

/**
 * Loads a module as a model: one text in and one text out for each call, JSON both.
 * @throws SlipwayError E_MODEL_INVALID for one that does not load or exports nothing to call
 */
export async function openFunctionModel(file: string, options: FunctionOptions = {}): Promise<FunctionModel> {
  const { form, original, onLine = () => undefined } = options;
  const caller = new FunctionCaller({
    file,
    ...(form && { form }),
    ...(original !== undefined && { original }),
    memoryMiB: form?.memoryMiB ?? IMPORT_MIB,
    timeoutMs: form?.timeoutMs ?? IMPORT_MS,
    onLine,
  });
  try {
    const told: unknown = JSON.parse(await caller.opened);
    return {
      description: form ? { form, pure: true } : descriptionSchema.parse(told),
      inputs: FUNCTION_INPUTS,
      outputs: FUNCTION_OUTPUTS,
      areAlike,
      run: async ([tensor]) => {
        const calls = tensor ? elementsOf(tensor).map((element) => Buffer.from(element).toString("utf8")) : [];
        return [textTensor(await caller.ask(calls))];
      },
      close: () => caller.close(),
    };
  } catch (cause) {
    await caller.close();
    throw new SlipwayError("E_MODEL_INVALID", `the function cannot serve: ${messageOf(cause)}`, {
      hint: "Export a function predict, and what else docs/reference/function-models.md lists.",
      cause,
    });
  }
}
