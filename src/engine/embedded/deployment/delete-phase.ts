import { SlipwayError } from "../../../common/errors.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { planDeletions, runPlan } from "../steps/deletions.ts";
import type { Context } from "./context.ts";
import { Stopped } from "./failures.ts";
import { adoptUnregistered } from "./interrupted.ts";
import { remove } from "./provider-steps.ts";

/** Deletes what the program no longer names and what was replaced, dependents first. Only after a program that ended well. */
export async function deleteUnregistered(context: Context): Promise<void> {
  const { snapshot, claims, targeting, failures } = context;
  await adoptUnregistered(context);
  const deletable = targeting.deletable(snapshot.loaded);
  const isDoomed = (state: ResourceState) =>
    (state.delete || !claims.has(state.urn)) && deletable?.has(state.urn) !== false;
  const doomed = new Set(snapshot.remaining().filter(isDoomed));
  targeting.assertDeletable(doomed);
  if (refuseProtected(context, doomed)) return;
  const plan = planDeletions(snapshot.resources(), doomed);
  const gone = (urn: string | undefined) => urn !== undefined && [...doomed].some((state) => state.urn === urn);
  await runPlan(plan, async (state) => {
    try {
      // Deleted before a replacement that never came; its place is kept until what names it is gone, else no state would be valid.
      if (state.pendingReplacement) return await forget(context, state);
      await remove(context, state, state.delete ? "delete-replaced" : "delete", "removed", gone(state.deletedWith));
      return true;
    } catch (error) {
      if (!(error instanceof Stopped)) failures.step(state.urn, error);
      return false;
    }
  });
}

async function forget({ snapshot }: Context, state: ResourceState): Promise<true> {
  snapshot.remove(state);
  await snapshot.save();
  return true;
}

function refuseProtected(context: Context, doomed: ReadonlySet<ResourceState>): boolean {
  const kept = [...doomed].filter((state) => state.protect && !state.delete && !state.pendingReplacement);
  for (const { urn } of kept) {
    const hint = "Remove protect from its options and run up once before deleting it.";
    context.failures.step(
      urn,
      new SlipwayError("E_UPDATE_FAILED", `${urn} is protected and cannot be deleted`, { hint }),
    );
  }
  return kept.length > 0;
}
