import { shortened } from "../../../common/text.ts";
import { infer } from "../../inference/infer.ts";
import type { ServedModel } from "../../routing/question.ts";
import { jsonElements } from "../../tensors/json.ts";
import { textTensor } from "../../tensors/raw-tensor.ts";
import type { FrontendContext } from "../context.ts";
import { writeInferAnswer } from "../v2/infer-answer.ts";
import { readInferBody } from "../v2/infer-body.ts";

/** More of an answer is not shown. */
const LONGEST = 20_000;

/**
 * Asks a model that takes no rows what a form says: a function with these arguments, any other model with the tensors under `inputs`.
 * @returns the answer as JSON text, cut where it is too long to be read
 * @throws HttpError 4xx, RuntimeError
 */
export async function askQuestion(
  context: Pick<FrontendContext, "router" | "config">,
  served: ServedModel,
  values: Record<string, unknown>,
): Promise<string> {
  const text = await (served.card.platform === "function"
    ? call(context, served, values)
    : tensors(context, served, values));
  return shortened(text, LONGEST);
}

async function call(
  { router }: Pick<FrontendContext, "router">,
  served: ServedModel,
  values: Record<string, unknown>,
): Promise<string> {
  const { parameters, schema } = served.card.function ?? { schema: {} };
  const named = parameters !== undefined || Object.hasOwn(Object(schema.arguments), "properties");
  const given = named ? values : values.arguments;
  const { outputs } = await router.predict(served, [textTensor([JSON.stringify(given ?? null)])]);
  const [result] = outputs[0] ? jsonElements(outputs[0]) : [];
  return JSON.stringify(JSON.parse(String(result)), null, 2);
}

async function tensors(
  context: Pick<FrontendContext, "router" | "config">,
  served: ServedModel,
  { inputs }: Record<string, unknown>,
): Promise<string> {
  // read as the protocol's own route reads it
  const question = readInferBody(Buffer.from(JSON.stringify({ inputs })), undefined, served.card);
  const { body } = writeInferAnswer(await infer(context, served, question), false);
  const { outputs } = JSON.parse(body.toString("utf8")) as { outputs: unknown[] };
  return outputs.map((output) => JSON.stringify(output)).join("\n");
}
