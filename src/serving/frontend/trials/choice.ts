import { z } from "zod";
import type { TrialChoice } from "../../routing/question.ts";
import { HttpError } from "../errors.ts";

/** The header, or gRPC's metadata, by which a caller decides whether the version on trial answers. */
export const CANARY_HEADER = "x-slipway-canary";

/** The same in a route's description. */
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
