import { SlipwayError } from "../../../common/errors.ts";
import { unknown } from "../../resource-provider.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { dependentsOf, planDeletions, runPlan } from "../steps/deletions.ts";
import { mapToProvider } from "../values/provider-values.ts";
import { entry, mapValues } from "../values/value.ts";
import { assertRunning, type Context, identityOf } from "./context.ts";
import { remove } from "./provider-steps.ts";

/** One cascade at a time: two could claim the same dependents. */
const queues = new WeakMap<Context, Promise<void>>();

/** Deletes a resource that is to be replaced, after those that cannot live without it; their own registrations make them again. */
export function deleteWithDependents(context: Context, root: ResourceState): Promise<void> {
  const turn = (queues.get(context) ?? Promise.resolve()).then(() => cascade(context, root));
  queues.set(
    context,
    turn.catch(() => undefined), // its own registration reports it
  );
  return turn;
}

async function cascade(context: Context, root: ResourceState): Promise<void> {
  assertRunning(context);
  const doomed = await claimable(context, root);
  const isProtected = doomed.find((state) => state.protect && state !== root);
  if (isProtected !== undefined) throw protectedFromReplacement(isProtected.urn, root.urn);
  const plan = planDeletions(context.snapshot.resources(), new Set(doomed));
  let failure: unknown;
  const work = runPlan(plan, async (state) => {
    try {
      await remove(context, state, "delete-replaced", "to be replaced");
      return true;
    } catch (error) {
      failure ??= error;
      return false;
    }
  });
  // A dependent that registers from now on waits for its own deletion.
  for (const state of doomed) if (state !== root) context.beingDeleted.set(state.urn, work);
  await work;
  if (failure !== undefined) throw failure;
}

/** The root and its dependents; what has registered meanwhile has its new inputs already and is left alone. */
async function claimable(context: Context, root: ResourceState): Promise<ResourceState[]> {
  for (;;) {
    const candidates = () =>
      context.snapshot.remaining().filter((state) => state === root || !context.registered.has(state.urn));
    const doomed = [
      root,
      ...(await dependentsOf(root, candidates(), (state, changing) => isForced(context, state, changing))),
    ];
    const still = new Set(candidates());
    if (doomed.every((state) => still.has(state))) return doomed;
  }
}

/** Whether a dependent must be replaced when what it takes from the changing resources is not known yet. */
async function isForced(context: Context, state: ResourceState, changing: ReadonlySet<string>): Promise<boolean> {
  const { provider } = await context.registry.forState(state);
  if (provider === undefined) return false;
  const takes = (key: string) => entry(state.propertyDependencies, key)?.some((urn) => changing.has(urn)) === true;
  const inputs = mapValues(state.inputs, (value, key) => (takes(key) ? unknown : value));
  const [olds, oldInputs, news] = [mapToProvider(state.outputs), mapToProvider(state.inputs), mapToProvider(inputs)];
  const diff = await provider.diff(identityOf(state), state.id ?? "", olds, oldInputs, news, state.ignoreChanges);
  return diff.replaces.length > 0 || Object.values(diff.detailedDiff).some(({ kind }) => kind.endsWith("-replace"));
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
