import { SlipwayError } from "../../../common/errors.ts";
import { unknown } from "../../resource-provider.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { decide } from "../steps/decision.ts";
import { dependentsOf, planDeletions, runPlan } from "../steps/deletions.ts";
import { entry, mapValues } from "../values/value.ts";
import { assertRunning, type Context, identityOf } from "./context.ts";
import { adoptUnregistered } from "./interrupted.ts";
import { remove } from "./provider-steps.ts";

/** Deletes a resource that is to be replaced, after those that cannot live without it; their own registrations make them again. */
export function deleteWithDependents(context: Context, root: ResourceState): Promise<void> {
  const { replacements } = context;
  replacements.awaitingDeletion.add(root);
  const turn = replacements.cascades.then(() => cascade(context, root));
  replacements.cascades = turn.catch(() => undefined); // its own registration reports it
  return turn.finally(() => replacements.awaitingDeletion.delete(root));
}

async function cascade(context: Context, root: ResourceState): Promise<void> {
  assertRunning(context);
  if (root.pendingReplacement) return; // an earlier cascade took it along
  await adoptUnregistered(context); // it may hang from the root
  assertRunning(context);
  const doomed = await claimable(context, root);
  const isProtected = doomed.find((state) => state.protect && !state.delete && state !== root);
  if (isProtected !== undefined) throw protectedFromReplacement(isProtected.urn, root.urn);
  const plan = planDeletions(context.snapshot.resources(), new Set(doomed));
  let failure: unknown;
  const work = runPlan(plan, async (state) => {
    try {
      const departure = state.delete ? "removed" : "to be replaced";
      const goesWithAnother = doomed.some(({ urn }) => urn === state.deletedWith);
      await remove(context, state, "delete-replaced", departure, goesWithAnother);
      return true;
    } catch (error) {
      failure ??= error;
      return false;
    }
  });
  // A dependent that registers from now on waits for its own deletion.
  for (const state of doomed) {
    if (state !== root && !context.claims.has(state.urn)) context.replacements.beingDeleted.set(state.urn, work);
  }
  await work;
  if (failure !== undefined) throw failure;
}

/**
 * The root and what hangs from it. Of what the program has not registered yet, that is what its provider says; of what it has, what
 * was replaced and only waits for its deletion, and what waits for a cascade of its own. What is being decided is waited for: it may
 * be letting go of the root just now.
 */
async function claimable(context: Context, root: ResourceState): Promise<ResourceState[]> {
  const { snapshot, claims, replacements } = context;
  const { awaitingDeletion, undecided } = replacements;
  for (;;) {
    const isLeaving = (state: ResourceState) => state.delete === true || awaitingDeletion.has(state);
    const candidates = () => {
      const isOpen = ({ urn }: ResourceState) => !claims.has(urn) || undecided.has(urn);
      return snapshot.remaining().filter((state) => state === root || isLeaving(state) || isOpen(state));
    };
    const roots = candidates().filter((state) => state === root);
    const doomed = [
      ...roots,
      ...(await dependentsOf(
        roots,
        candidates(),
        async (state, changing) =>
          isLeaving(state) || undecided.has(state.urn) || (await isForced(context, state, changing)),
      )),
    ];
    // A registration that is asking after what an interrupted run made may find something that hangs from the root.
    const asking = snapshot.interruptedCreations().map(({ resource }) => resource);
    const waiting = [...doomed.filter((state) => !isLeaving(state)), ...asking];
    const open = waiting.flatMap((state) => undecided.get(state.urn)?.promise ?? []);
    const still = new Set(candidates());
    if (open.length === 0 && doomed.every((state) => still.has(state))) return doomed;
    await Promise.all(open);
  }
}

/** Whether a dependent must be replaced when what it takes from the changing resources is not known yet. */
async function isForced(context: Context, state: ResourceState, changing: ReadonlySet<string>): Promise<boolean> {
  const { provider } = await context.registry.forState(state);
  if (provider === undefined) return false;
  const takes = (key: string) => entry(state.propertyDependencies, key)?.some((urn) => changing.has(urn)) === true;
  const inputs = mapValues(state.inputs, (value, key) => (takes(key) ? unknown : value));
  const { id = "", outputs, ignoreChanges } = state;
  const diff = await provider.diff(identityOf(state), id, outputs, state.inputs, inputs, ignoreChanges);
  return decide({ ...state, initErrors: [] }, diff, { ...state, deleteBeforeReplace: undefined }).action === "replace";
}

/** The error for a protected resource that a replacement would take along. */
export function protectedFromReplacement(urn: string, because: string): SlipwayError {
  return new SlipwayError(
    "E_UPDATE_FAILED",
    `${urn} is protected, but the change of ${because} demands its replacement`,
    {
      hint: "Remove protect from the resource's options, run up once, then make the change.",
    },
  );
}
