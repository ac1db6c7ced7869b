import { SlipwayError } from "../../common/errors.ts";

/** What a training is asked for, or its data, is not right. */
export function invalid(reason: string, hint?: string, cause?: unknown): SlipwayError {
  return new SlipwayError("E_TRAINING_INVALID", reason, { ...(hint !== undefined && { hint }), cause });
}

/** The training began and made no model. */
export function failed(
  reason: string,
  hint?: string,
  details: { cause?: unknown; lines?: string[] } = {},
): SlipwayError {
  return new SlipwayError("E_TRAINING_FAILED", reason, {
    ...(hint !== undefined && { hint }),
    ...(details.lines && { details: details.lines }),
    cause: details.cause,
  });
}
