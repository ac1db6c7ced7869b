import { isDeepStrictEqual } from "node:util";
import type { DiffResult } from "../../resource-provider.ts";
import type { UsableProvider } from "../providers/provider-registry.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { type Decision, decide, diffInputs } from "../steps/decision.ts";
import type { Goal } from "../steps/goal.ts";
import { packageOf } from "../urn.ts";
import { withIgnoredChanges } from "../values/paths.ts";
import { withSecretsOf } from "../values/provider-values.ts";
import { entry, type ValueMap } from "../values/value.ts";
import { type Context, identityOf } from "./context.ts";
import { deleteWithDependents, protectedFromReplacement } from "./delete-first.ts";
import { adoptInterrupted } from "./interrupted.ts";
import { outputsOf, stateOf } from "./new-state.ts";
import { create, update } from "./provider-steps.ts";
import type { StepFacts } from "./step-metadata.ts";

/** Brings a resource that a provider keeps to what the program asks: unchanged, made, changed or replaced. */
export async function registerCustom(context: Context, urn: string, goal: Goal): Promise<ResourceState> {
  context.undecided.set(urn, Promise.withResolvers());
  try {
    return await bringAbout(context, urn, goal);
  } finally {
    decided(context, urn);
  }
}

function decided({ undecided }: Context, urn: string): void {
  undecided.get(urn)?.resolve();
  undecided.delete(urn);
}

async function bringAbout(context: Context, urn: string, goal: Goal): Promise<ResourceState> {
  const usable = await context.registry.forPackage(packageOf(goal.type), goal.version, goal.provider);
  await context.beingDeleted.get(urn);
  await adoptInterrupted(context, urn, usable);
  const old = context.snapshot.old(urn);
  const news = old === undefined ? goal.inputs : withIgnoredChanges(goal.inputs, old.inputs, goal.ignoreChanges);
  const registration: Registration = { context, urn, goal, usable, news };
  if (old === undefined) return createNew(registration);
  // Deleted before, or not ours so far: there is nothing to compare with.
  if (old.pendingReplacement || old.external) return createAgain(registration, old, {}, { supersedes: old });

  const inputs = await check(registration, old.inputs);
  const decision = decide(old, await diff(registration, old, inputs), {
    deleteBeforeReplace: goal.deleteBeforeReplace,
    replaceOnChanges: goal.replaceOnChanges,
    provider: usable.reference,
  });
  switch (decision.action) {
    case "same":
      return keep(registration, old, inputs);
    case "update":
      return change(registration, old, inputs, decision);
    case "replace":
      return replace(registration, old, decision);
  }
}

/** One registration on its way. */
interface Registration {
  context: Context;
  urn: string;
  goal: Goal;
  usable: UsableProvider;
  /** The program's inputs, with ignored changes undone. */
  news: ValueMap;
}

async function createNew({ context, urn, goal, usable, ...rest }: Registration): Promise<ResourceState> {
  const inputs = await check({ context, urn, goal, usable, ...rest }, {});
  const state = stateOf(urn, goal, inputs, usable.reference);
  await create(context, { state, usable, operation: "create", facts: {} });
  return state;
}

async function keep(
  { context, urn, goal, usable }: Registration,
  old: ResourceState,
  inputs: ValueMap,
): Promise<ResourceState> {
  const state = stateOf(urn, goal, inputs, usable.reference, old);
  state.outputs = outputsOf(old.outputs, state, usable);
  await context.reporter.step("same", state, { old }, async () => {
    context.snapshot.put(state, old);
    // The old one alone would do as well, as long as nothing in it changed.
    if (!isDeepStrictEqual(state, old)) await context.snapshot.save();
  });
  return state;
}

async function change(
  { context, urn, goal, usable }: Registration,
  old: ResourceState,
  inputs: ValueMap,
  decision: Extract<Decision, { action: "update" }>,
): Promise<ResourceState> {
  const state = stateOf(urn, goal, inputs, usable.reference, old);
  await update(context, { state, old, usable, facts: { old, diff: decision.diff } });
  return state;
}

async function replace(
  registration: Registration,
  old: ResourceState,
  decision: Extract<Decision, { action: "replace" }>,
): Promise<ResourceState> {
  const { context, urn, goal } = registration;
  if (old.protect && goal.protect) throw protectedFromReplacement(urn, decision.reasons.join(", "));
  const facts = { diff: decision.diff, replaceReasons: decision.reasons };
  if (!decision.deleteFirst) return createAgain(registration, old, facts, { retires: old });
  const deletion = deleteWithDependents(context, old);
  decided(context, urn);
  await deletion;
  return createAgain(registration, old, facts, { supersedes: old });
}

/** Makes a successor. Its inputs are checked without the predecessor's, so that it gets a name of its own. */
async function createAgain(
  registration: Registration,
  old: ResourceState,
  why: Pick<StepFacts, "diff" | "replaceReasons">,
  fate: { supersedes: ResourceState } | { retires: ResourceState },
): Promise<ResourceState> {
  const { context, urn, goal, usable } = registration;
  const inputs = await check(registration, {});
  const state = stateOf(urn, goal, inputs, usable.reference);
  const replaceReasons = why.replaceReasons ?? forcedBy(goal, diffInputs(old.inputs, inputs));
  const facts = { old, ...why, replaceReasons };
  // The step that stands for the replacement is told when the old resource is out of the way, as the official engine does.
  const replacement = () =>
    context.reporter.step(
      "replace",
      state,
      { ...facts, ...(why.diff === undefined ? { replaceReasons: [] } : {}) },
      async () => undefined,
    );
  if ("supersedes" in fate) await replacement();
  await create(context, { state, usable, operation: "create-replacement", facts, ...fate });
  if ("retires" in fate) await replacement();
  return state;
}

/** Of a resource that had to go with another: the properties that it takes from others and that are new. */
function forcedBy(goal: Goal, { detailedDiff }: DiffResult): string[] {
  return Object.keys(detailedDiff).filter((key) => (entry(goal.propertyDependencies, key)?.length ?? 0) > 0);
}

async function check({ context, urn, goal, usable, news }: Registration, olds: ValueMap): Promise<ValueMap> {
  if (usable.provider === undefined) return news;
  const identity = identityOf({ urn, type: goal.type });
  const { inputs, failures } = await usable.provider.check(identity, olds, news);
  if (failures.length > 0) {
    const reasons = failures.map(({ property, reason }) => (property === "" ? reason : `${property}: ${reason}`));
    throw new Error(`the inputs are not valid: ${reasons.join("; ")}`);
  }
  const checked = withSecretsOf(inputs, news);
  context.reporter.redactor.learn(checked);
  return checked;
}

async function diff({ urn, goal, usable }: Registration, old: ResourceState, inputs: ValueMap) {
  if (usable.provider === undefined) return diffInputs(old.inputs, inputs);
  return usable.provider.diff(
    identityOf({ urn, type: goal.type }),
    old.id ?? "",
    old.outputs,
    old.inputs,
    inputs,
    goal.ignoreChanges,
  );
}
