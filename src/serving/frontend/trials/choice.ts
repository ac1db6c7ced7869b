import { z } from "zod";
import { CANARY_HEADER } from "../../canary-header.ts";
import type { TrialChoice } from "../../routing/question.ts";
import { HttpError } from "../errors.ts";

/** {@link CANARY_HEADER} in a route's description. */
export const canaryHeader = {
  [CANARY_HEADER]: z
    .enum(["always", "never"])
    .optional()
    .describe("whether the version on trial answers; its share of the requests without"),
};

/** What a caller decides for a request; without a word it is the trial's share that does. Throws HttpError 400. */
export function trialChoiceOf(header: unknown): TrialChoice {
  if (header === undefined) return "share";
  if (header === "always" || header === "never") return header;
  throw new HttpError(400, "CANARY_INVALID", `${CANARY_HEADER} is "always" or "never"`);
}
