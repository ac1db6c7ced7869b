import { isDeepStrictEqual } from "node:util";
import type { DiffResult } from "../../resource-provider.ts";
import type { UsableProvider } from "../providers/provider-registry.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { type Decision, decide, diffInputs, importedMayNotBeReplaced, isImport } from "../steps/decision.ts";
import type { Goal } from "../steps/goal.ts";
import { packageOf } from "../urn.ts";
import { parsePath, withIgnoredChanges } from "../values/paths.ts";
import { withSecretsOf } from "../values/provider-values.ts";
import { entry, type ValueMap } from "../values/value.ts";
import type { Claim } from "./claims.ts";
import { type Context, identityOf } from "./context.ts";
import { deleteWithDependents, protectedFromReplacement } from "./delete-first.ts";
import { forcedReplacement } from "./forced-replacement.ts";
import { importResource } from "./import.ts";
import { adoptInterrupted } from "./interrupted.ts";
import { outputsOf, stateOf } from "./new-state.ts";
import { create, update } from "./provider-steps.ts";
import type { StepFacts } from "./step-metadata.ts";
import { leaveUntargeted } from "./untargeted.ts";

/** One registration on its way. */
interface Registration {
  context: Context;
  urn: string;
  /** The URN that the state has for it. */
  formerUrn: string;
  goal: Goal;
  usable: UsableProvider;
}

/** Brings a resource that a provider keeps to what the program asks: unchanged, made, changed, taken over or replaced. */
export async function registerCustom(context: Context, claim: Claim, goal: Goal): Promise<ResourceState> {
  context.replacements.undecided.set(claim.formerUrn, Promise.withResolvers());
  try {
    return await bringAbout(context, claim, goal);
  } finally {
    decided(context, claim.formerUrn);
  }
}

function decided({ replacements: { undecided } }: Context, formerUrn: string): void {
  undecided.get(formerUrn)?.resolve();
  undecided.delete(formerUrn);
}

async function bringAbout(context: Context, claim: Claim, goal: Goal): Promise<ResourceState> {
  const { type, version, pluginDownloadUrl } = goal;
  const request = { name: packageOf(type), version, pluginDownloadUrl };
  const usable = await context.registry.forRequest(type, request, goal.provider);
  const { urn, formerUrn } = claim;
  await context.replacements.beingDeleted.get(formerUrn);
  const untouched = await leaveUntargeted(context, claim, stateOf(urn, goal, goal.inputs, usable.reference));
  if (untouched !== undefined) return untouched;
  await adoptInterrupted(context, formerUrn, usable);
  const old = context.snapshot.old(formerUrn);
  const registration = { context, urn, formerUrn, goal, usable };
  if (!isImport(goal, old)) return settle(registration, old);
  const imported = await importResource(
    context,
    { state: stateOf(urn, goal, goal.inputs, usable.reference), usable },
    old,
  );
  return imported === undefined ? createNew(registration) : settle(registration, imported, imported);
}

/** Compares a resource with what is asked, and does what the difference demands. One that was imported just now needs no step of its own to stay. */
async function settle(
  registration: Registration,
  old: ResourceState | undefined,
  imported?: ResourceState,
): Promise<ResourceState> {
  const { context, goal } = registration;
  if (old === undefined) return createNew(registration);
  // Deleted before, or not ours so far: there is nothing to compare with.
  if (old.pendingReplacement) return createAgain(registration, old, {}, { supersedes: old });
  if (old.external) return createAgain(registration, old, {}, { retires: old });

  const forced = await forcedReplacement(context, registration, old);
  const isAsked = forced === "id";
  const inputs = isAsked
    ? await check(registration, goal.inputs, {})
    : await check(registration, unchanged(registration, old), old.inputs);
  const difference = forced === undefined ? await diff(registration, old, inputs) : replacedFor(forced);
  const decision = decide(old, difference, goal);
  switch (decision.action) {
    case "same":
      return imported ?? keep(registration, old, inputs);
    case "update":
      return change(registration, old, inputs, decision);
    case "replace":
      return replace(registration, old, decision);
  }
}

/** The program's inputs, with ignored changes undone; says which could not be. */
function unchanged({ context, urn, goal }: Registration, old: ResourceState): ValueMap {
  const { inputs, missed } = withIgnoredChanges(goal.inputs, old.inputs, goal.ignoreChanges);
  if (missed.length > 0) {
    const paths = missed.map((path) => JSON.stringify(path)).join(", ");
    context.reporter.message("info", `cannot ignore changes in added or removed elements of the path: ${paths}`, urn);
  }
  return inputs;
}

async function createNew(registration: Registration): Promise<ResourceState> {
  const { context, urn, goal, usable } = registration;
  const inputs = await check(registration, goal.inputs, {});
  await makeRoom(registration, inputs);
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
  if (goal.importId !== "") {
    const refusal = importedMayNotBeReplaced(urn, decision.reasons);
    if (!context.preview) throw refusal;
    context.reporter.message("warning", refusal.message, urn);
  }
  const facts = { diff: decision.diff, replaceReasons: decision.reasons };
  if (!decision.deleteFirst) return createAgain(registration, old, facts, { retires: old });
  const deletion = deleteWithDependents(context, old);
  decided(context, old.urn);
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
  context.replacements.done.add(urn);
  const inputs = await check(registration, goal.inputs, {});
  await makeRoom(registration, inputs);
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

/**
 * Before a resource is made: deletes what earlier runs replaced and did not come to delete, where its provider would not have both at
 * once. It may hold the name or the place that the new one is to take, and would hold it for ever: deletions come after a program
 * that ended well (the official engine's stay, and each of its runs is refused).
 */
async function makeRoom(registration: Registration, inputs: ValueMap): Promise<void> {
  const { context, formerUrn, goal } = registration;
  for (const left of context.snapshot.retired(formerUrn)) {
    const decision = decide(left, await diff(registration, left, inputs), goal);
    if (!wouldClash(decision, inputs, goal)) continue;
    // nobody has said that it must go, and what still lives would go with it
    if (decision.action !== "replace" && hasLivingDependents(context, left)) continue;
    decided(context, formerUrn);
    await deleteWithDependents(context, left);
  }
}

/** Whether something that is to stay takes a value of it, as far as its URN tells: its successor has the same. */
function hasLivingDependents({ snapshot }: Context, { urn }: ResourceState): boolean {
  const takes = ({ propertyDependencies }: ResourceState) =>
    Object.values(propertyDependencies).some((urns) => urns.includes(urn));
  return snapshot.remaining().some((state) => !state.delete && takes(state));
}

/**
 * Whether a new resource could not be beside one that an earlier run replaced. Of a replacement the provider says so. Of one that it would keep or
 * change in place it was not asked: such a one has the name or place that the program gave, unless the provider chose something anew, as it
 * does with names that it makes up.
 */
function wouldClash(decision: Decision, inputs: ValueMap, goal: Goal): boolean {
  if (decision.action === "replace") return decision.deleteFirst;
  if (goal.deleteBeforeReplace !== undefined) return goal.deleteBeforeReplace;
  if (decision.action === "same") return true;
  const chosen = entry(inputs, "__defaults");
  const isChosen = (path: string) => Array.isArray(chosen) && chosen.includes(String(parsePath(path)[0]));
  return !Object.keys(decision.diff.detailedDiff).some(isChosen);
}

/** Of a resource that had to go with another: the properties that it takes from others and that are new. */
function forcedBy(goal: Goal, { detailedDiff }: DiffResult): string[] {
  return Object.keys(detailedDiff).filter((key) => (entry(goal.propertyDependencies, key)?.length ?? 0) > 0);
}

async function check({ context, urn, goal, usable }: Registration, news: ValueMap, olds: ValueMap): Promise<ValueMap> {
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

function replacedFor(reason: string) {
  return { changes: true, replaces: [reason], deleteBeforeReplace: false, detailedDiff: {} };
}
