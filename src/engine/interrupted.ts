import { SlipwayError } from "../common/errors.ts";

/** The error for an operation that the user ended early. */
export function interrupted(cause?: unknown): SlipwayError {
  return new SlipwayError("E_INTERRUPTED", "interrupted; what had been begun was finished and is in the state", {
    cause,
    hint: "Run the command again to go on.",
  });
}
