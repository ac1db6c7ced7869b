import { isDeepStrictEqual } from "node:util";
import type { ResourceState } from "../state/resource-state.ts";
import { diffInputs } from "../steps/decision.ts";
import type { Goal } from "../steps/goal.ts";
import type { Claim } from "./claims.ts";
import { assertRunning, type Context, now } from "./context.ts";
import { stateOf } from "./new-state.ts";
import { leaveUntargeted } from "./untargeted.ts";

/** Registers a component (or the stack): nothing but its place in the state. Its outputs come with registerOutputs. */
export async function registerComponent(context: Context, claim: Claim, goal: Goal): Promise<ResourceState> {
  const { urn, formerUrn } = claim;
  const untouched = await leaveUntargeted(context, claim, stateOf(urn, goal, goal.inputs, ""));
  if (untouched !== undefined) return untouched;
  assertRunning(context);
  const { reporter, snapshot } = context;
  const found = snapshot.old(formerUrn);
  // What a provider keeps is no component: it goes after the program has run.
  const retires = found?.custom ? found : undefined;
  const old = retires === undefined ? found : undefined;
  const state = stateOf(urn, goal, goal.inputs, "", old);
  const diff = old === undefined ? undefined : diffInputs(old.inputs, state.inputs);
  const operation = diff === undefined ? "create" : diff.changes ? "update" : "same";
  if (operation === "create") state.created = now();
  if (operation !== "same") state.modified = now();
  await reporter.step(operation, state, { old, diff: operation === "update" ? diff : undefined }, async () => {
    snapshot.put(state, old);
    if (retires !== undefined) {
      retires.delete = true;
      snapshot.rename(retires.urn, urn);
    }
    if (!isDeepStrictEqual(state, old)) await snapshot.save();
  });
  return state;
}
