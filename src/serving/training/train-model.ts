import { z } from "zod";
import { type TrainOptions, type TrainResult, trainRequestSchema } from "./contract.ts";
import { invalid } from "./errors.ts";
import { trainExternal } from "./external/train-external.ts";
import { startJournal } from "./journal.ts";
import { readParent } from "./parent.ts";
import { trainPlanCost } from "./plan-cost/train-plan-cost.ts";
import { trainNetwork } from "./train-network.ts";

/**
 * Trains a model as the request says. Runs in the calling thread and lets other work in every few milliseconds; a queue's job calls it
 * in a process of its own.
 * @param request of the form of {@link trainRequestSchema}, defaults filled in or not
 * @throws SlipwayError E_TRAINING_INVALID, E_TRAINING_FAILED, E_TIMEOUT, E_MODEL_INVALID for the parent; the signal's reason
 */
export async function trainModel(request: unknown, options: TrainOptions = {}): Promise<TrainResult> {
  const checked = trainRequestSchema.safeParse(request);
  if (!checked.success) {
    throw invalid(
      `the training is not described as it must be: ${z.prettifyError(checked.error)}`,
      undefined,
      checked.error,
    );
  }
  const { spec, data, parent: parentRequest } = checked.data;
  const journal = startJournal(options);
  options.signal?.throwIfAborted();
  const parent = await readParent(parentRequest);
  switch (spec.kind) {
    case "network":
      return trainNetwork(spec, data, parent, journal, options.signal);
    case "external":
      return trainExternal(spec, data, parent, options.trainers ?? {}, journal, options.signal);
    case "plan-cost":
      return trainPlanCost(spec, data, parent, journal, options.signal);
  }
}
