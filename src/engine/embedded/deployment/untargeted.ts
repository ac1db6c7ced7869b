import { SlipwayError } from "../../../common/errors.ts";
import type { ResourceState } from "../state/resource-state.ts";
import type { Claim } from "./claims.ts";
import type { Context } from "./context.ts";

/**
 * Leaves a resource that the operation is not about as the state has it; a new one is not made. Undefined for one that takes part.
 * Throws SlipwayError E_UPDATE_FAILED where one that takes part needs one that is not made.
 */
export async function leaveUntargeted(
  context: Context,
  { urn, formerUrn }: Claim,
  wanted: ResourceState,
): Promise<ResourceState | undefined> {
  const { targeting, snapshot } = context;
  const kept = snapshot.kept(formerUrn);
  if (targeting.includes(wanted)) {
    if (kept !== undefined) throw tooLate(urn);
    targeting.assertNoneSkipped(wanted);
    return undefined;
  }
  const old = kept ?? snapshot.old(formerUrn);
  if (old === undefined) {
    targeting.skip(urn);
    return wanted;
  }
  snapshot.keep(old);
  await context.reporter.step("same", old, {}, async () => undefined);
  return old;
}

/** In the state something untargeted names it, and has been taken over with it: a change would put the file out of order. */
function tooLate(urn: string): SlipwayError {
  return new SlipwayError(
    "E_UPDATE_FAILED",
    `${urn} is registered after what depended on it so far, which is no target`,
    {
      hint: "Run up once without --target.",
    },
  );
}
