import { isDeepStrictEqual } from "node:util";
import { newProviderId } from "../providers/provider-registry.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { diffInputs } from "../steps/decision.ts";
import type { Goal } from "../steps/goal.ts";
import type { ValueMap } from "../values/value.ts";
import { unknownSentinel } from "../values/wire.ts";
import { assertRunning, type Context, now } from "./context.ts";
import { stateOf } from "./new-state.ts";

/** Registers a component (or the stack): nothing but its place in the state. Its outputs come with registerOutputs. */
export function registerComponent(context: Context, urn: string, goal: Goal): Promise<ResourceState> {
  const old = context.snapshot.old(urn);
  return settle(context, stateOf(urn, goal, goal.inputs, "", old), old);
}

/** Registers a provider resource; its id stays the same while it lives, so that those who name it need not change. */
export async function registerProvider(context: Context, urn: string, goal: Goal): Promise<ResourceState> {
  const old = context.snapshot.old(urn);
  const version: ValueMap = goal.version === "" ? {} : { version: goal.version };
  const state = stateOf(urn, goal, { __internal: {}, ...goal.inputs, ...version }, "", old);
  // A preview tells the program that the id is yet to come, unless the program never sees it (default providers have no parent).
  state.id = old?.id ?? (context.preview && goal.parent !== "" ? unknownSentinel : newProviderId());
  const { __internal, ...outputs } = state.inputs;
  state.outputs = outputs;
  context.reporter.redactor.learn(state.inputs);
  context.registry.registered(state);
  return settle(context, state, old);
}

async function settle(context: Context, state: ResourceState, old: ResourceState | undefined): Promise<ResourceState> {
  assertRunning(context);
  const { reporter, snapshot } = context;
  const diff = old === undefined ? undefined : diffInputs(old.inputs, state.inputs);
  const operation = diff === undefined ? "create" : diff.changes ? "update" : "same";
  if (operation === "create") state.created = now();
  if (operation !== "same") state.modified = now();
  await reporter.step(operation, state, { old, diff: operation === "update" ? diff : undefined }, async () => {
    snapshot.put(state, old);
    if (!isDeepStrictEqual(state, old)) await snapshot.save();
  });
  return state;
}
