import { messageOf, SlipwayError } from "../../common/errors.ts";
import { goldenQuestions, requireGolden } from "../models/golden.ts";
import { readPackage } from "../models/package.ts";
import { modelFolder } from "../models/registry-file.ts";
import { RuntimeError, type ServedModel } from "../routing/question.ts";
import type { Router } from "../routing/router.ts";
import { JobFailure } from "./children.ts";

/** What a self-check works with. */
export interface SelfCheckTools {
  served: (name: string | undefined, signal: AbortSignal) => Promise<ServedModel>;
  router: Pick<Router, "predict">;
  modelsDir: string;
  signal: AbortSignal;
}

/**
 * Asks what serves by default its golden questions, over the way that a job's rows go.
 * @returns the model, and how many questions there were
 * @throws JobFailure when an answer is farther from its golden one than the tolerance
 */
export async function selfCheck({
  served,
  router,
  modelsDir,
  signal,
}: SelfCheckTools): Promise<Record<string, unknown>> {
  const asked = await served(undefined, signal);
  const { model, card } = asked;
  const { golden } = await readPackage(modelFolder(modelsDir, model.digest));
  const run: Parameters<typeof requireGolden>[0]["run"] = async (inputs) =>
    (await router.predict(asked, inputs)).outputs;
  try {
    await requireGolden({ inputs: card.inputs, outputs: card.outputs, run }, golden);
  } catch (error) {
    if (error instanceof RuntimeError) throw new JobFailure(error.message, false);
    if (error instanceof SlipwayError)
      throw new JobFailure(`${model.name} ${model.version}: ${messageOf(error)}`, true);
    throw error;
  }
  return { model, questions: goldenQuestions(golden) };
}
