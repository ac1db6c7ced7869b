import { modelLimitsOf } from "../config.ts";
import type { FrontendContext } from "../frontend/context.ts";
import { requireKeptKey } from "../frontend/idempotency.ts";
import type { Answer, ServedModel, TrialChoice } from "../routing/question.ts";
import { arrangeInputs, placesOf } from "./arrange.ts";
import { largestOf } from "./classification.ts";
import type { InferQuestion, NamedTensor, WantedOutput } from "./question.ts";

/** An output that was asked for, and how. */
interface InferOutput {
  tensor: NamedTensor;
  wanted: WantedOutput | undefined;
}

/** What a model answered, and which model it was. */
export interface InferAnswer {
  served: Answer["served"];
  id: string | undefined;
  outputs: InferOutput[];
}

/**
 * Has a model answer a question.
 * @param trial how a version on trial takes part; without it the answer is this very version's
 * @throws HttpError 4xx for a question that does not fit the model
 * @throws RuntimeError
 */
export async function infer(
  { router, config }: Pick<FrontendContext, "router" | "config">,
  served: ServedModel,
  { id, inputs, outputs, timeoutMs, key }: InferQuestion,
  trial?: TrialChoice,
): Promise<InferAnswer> {
  const arranged = arrangeInputs(served.card, inputs, modelLimitsOf(config, served.model.name).requestRows);
  const places = placesOf(served.card, outputs);
  const answer = await router.predict(served, arranged, {
    withinMs: timeoutMs,
    key: requireKeptKey(config, served, key),
    trial,
  });
  const { card } = answer.served;
  return {
    served: answer.served,
    id,
    outputs: places.map((place, at) => {
      const wanted = outputs?.[at];
      const { name, datatype } = card.outputs[place] as (typeof card.outputs)[number];
      const tensor = answer.outputs[place] as (typeof answer.outputs)[number];
      if (wanted?.classification !== undefined) {
        return { tensor: { name, ...largestOf(card, tensor, wanted.classification) }, wanted };
      }
      return { tensor: { name, datatype, shape: tensor.shape, bytes: tensor.bytes }, wanted };
    }),
  };
}
