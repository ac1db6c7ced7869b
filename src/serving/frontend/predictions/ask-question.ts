import { shortened } from "../../../common/text.ts";
import { infer } from "../../inference/infer.ts";
import type { ServedModel, TrialChoice } from "../../routing/question.ts";
import { jsonElements } from "../../tensors/json.ts";
import { textTensor } from "../../tensors/raw-tensor.ts";
import type { FrontendContext } from "../context.ts";
import { writeInferAnswer } from "../v2/infer-answer.ts";
import { readInferBody } from "../v2/infer-body.ts";

/** More of an answer is not shown. */
const LONGEST = 20_000;

/** An answer as JSON text, cut where it is too long to be read, and the model that gave it. */
interface QuestionAnswer {
  text: string;
  served: ServedModel;
}

/**
 * Asks a model that takes no rows what a form says: a function with these arguments, any other model with the tensors under `inputs`.
 * @param trial how a version on trial takes part
 * @throws HttpError 4xx, RuntimeError
 */
export async function askQuestion(
  context: Pick<FrontendContext, "router" | "config">,
  served: ServedModel,
  values: Record<string, unknown>,
  trial: TrialChoice | undefined,
): Promise<QuestionAnswer> {
  const answer = await (served.card.platform === "function"
    ? call(context, served, values, trial)
    : tensors(context, served, values, trial));
  return { ...answer, text: shortened(answer.text, LONGEST) };
}

async function call(
  { router }: Pick<FrontendContext, "router">,
  served: ServedModel,
  values: Record<string, unknown>,
  trial: TrialChoice | undefined,
): Promise<QuestionAnswer> {
  const { parameters, schema } = served.card.function ?? { schema: {} };
  const named = parameters !== undefined || Object.hasOwn(Object(schema.arguments), "properties");
  const given = named ? values : values.arguments;
  const answer = await router.predict(served, [textTensor([JSON.stringify(given ?? null)])], { trial });
  const [result] = answer.outputs[0] ? jsonElements(answer.outputs[0]) : [];
  return { text: JSON.stringify(JSON.parse(String(result)), null, 2), served: answer.served };
}

async function tensors(
  context: Pick<FrontendContext, "router" | "config">,
  served: ServedModel,
  { inputs }: Record<string, unknown>,
  trial: TrialChoice | undefined,
): Promise<QuestionAnswer> {
  // read as the protocol's own route reads it
  const question = readInferBody(Buffer.from(JSON.stringify({ inputs })), undefined, served.card);
  const answer = await infer(context, served, question, trial);
  const { body } = writeInferAnswer(answer, false);
  const { outputs } = JSON.parse(body.toString("utf8")) as { outputs: unknown[] };
  return { text: outputs.map((output) => JSON.stringify(output)).join("\n"), served: answer.served };
}
