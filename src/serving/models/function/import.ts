import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { digestOfFile } from "../../../common/digest.ts";
import { isErrno } from "../../../common/errors.ts";
import { textTensor } from "../../tensors/raw-tensor.ts";
import { type Golden, goldenTolerance, requireGolden } from "../golden.ts";
import { type FunctionPackage, parsed } from "../package.ts";
import { goldenTensor } from "../reading.ts";
import { bundleFunction } from "./bundle.ts";
import { callsSchema, FUNCTION_INPUTS, FUNCTION_OUTPUTS } from "./contract.ts";
import { openFunctionModel } from "./function-model.ts";

type Calls = z.infer<typeof callsSchema>;

/** `golden.json` beside a function: calls with their results, and who says so. */
const goldenFileSchema = z.union([
  callsSchema,
  z.object({ calls: callsSchema, source: z.string(), tolerance: goldenTolerance }),
]);

/**
 * Makes a package of a module that exports a function. Calls whose results it names, in its export `golden` or in `golden.json` beside
 * it, are tried here, and again wherever it is loaded.
 * @throws SlipwayError E_MODEL_INVALID, E_MODEL_MISMATCH
 */
export async function importFunction(file: string): Promise<FunctionPackage> {
  const code = await bundleFunction(file);
  const scratch = await mkdtemp(join(tmpdir(), "slipway-function-"));
  try {
    const bundle = join(scratch, "function.mjs");
    await writeFile(bundle, code);
    const model = await openFunctionModel(bundle, { original: file });
    try {
      const { form, pure, golden: exported } = model.description;
      const golden = (await goldenBeside(file)) ?? goldenOf(exported ?? [], `${basename(file)} itself`);
      await requireGolden(model, golden);
      const source = { name: basename(file), digest: await digestOfFile(file) };
      return {
        card: {
          schemaVersion: 2,
          platform: "function",
          inputs: FUNCTION_INPUTS,
          outputs: FUNCTION_OUTPUTS,
          // one call that fails is nobody else's
          batching: false,
          pure,
          function: form,
          source: { format: "function", files: [source] },
        },
        code,
        golden,
        data: undefined,
      };
    } finally {
      await model.close();
    }
  } finally {
    await rm(scratch, { recursive: true });
  }
}

async function goldenBeside(file: string): Promise<Golden | undefined> {
  const text = await readFile(join(dirname(file), "golden.json"), "utf8").catch((error: unknown) => {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const found = parsed(goldenFileSchema, "golden.json", text);
  if (Array.isArray(found)) return goldenOf(found, "golden.json");
  const { calls, source, tolerance } = found;
  return { ...goldenOf(calls, source), ...(tolerance !== undefined && { tolerance }) };
}

/** Calls as the tensors that they are. */
function goldenOf(calls: Calls, source: string): Golden {
  const texts = (values: unknown[]) => textTensor(values.map((value) => JSON.stringify(value ?? null)));
  return {
    inputs: [goldenTensor(FUNCTION_INPUTS[0], texts(calls.map((call) => call.arguments)))],
    outputs: [goldenTensor(FUNCTION_OUTPUTS[0], texts(calls.map((call) => call.result)))],
    source,
  };
}
