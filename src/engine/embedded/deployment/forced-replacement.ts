import { isDeepStrictEqual } from "node:util";
import type { UsableProvider } from "../providers/provider-registry.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { demandsReplacement } from "../steps/decision.ts";
import type { Goal } from "../steps/goal.ts";
import { parseProviderReference } from "../urn.ts";
import { toProvider } from "../values/provider-values.ts";
import { containsUnknown, type Value } from "../values/value.ts";
import type { Context } from "./context.ts";

/**
 * What demands a resource's replacement whatever its provider says of its inputs: its trigger, the user, the replacement of what it is
 * deleted with, or another provider. Undefined where nothing does (pulumi/pulumi, step_generator.go, diff).
 */
export async function forcedReplacement(
  context: Context,
  { urn, goal, usable }: { urn: string; goal: Goal; usable: UsableProvider },
  old: ResourceState,
): Promise<"replacementTrigger" | "id" | "deletedWith" | "provider" | undefined> {
  if (isTriggered(goal.replacementTrigger, old.replacementTrigger)) return "replacementTrigger";
  if (context.targeting.replaces(urn)) return "id";
  if (goal.deletedWith !== "" && context.replacements.done.has(goal.deletedWith)) return "deletedWith";
  return (await isProviderAnother(context, old, usable)) ? "provider" : undefined;
}

/** A trigger that is new or taken away triggers nothing; one that is not known yet does. */
function isTriggered(now: Value | undefined, before: Value | undefined): boolean {
  if (now === undefined || now === null || before === undefined || before === null) return false;
  return containsUnknown(now) || containsUnknown(before) || !isDeepStrictEqual(toProvider(now), toProvider(before));
}

/** True where the resource's provider cannot look after what the old one made. */
async function isProviderAnother(context: Context, old: ResourceState, usable: UsableProvider): Promise<boolean> {
  const [before, after] = [old.provider ?? "", usable.reference];
  if (before === after) return false;
  if (before === "" || after === "") return true;
  const [beforeReference, afterReference] = [parseProviderReference(before), parseProviderReference(after)];
  if (
    beforeReference.urn !== afterReference.urn &&
    context.claims.current(beforeReference.urn) === afterReference.urn
  ) {
    return false; // renamed
  }
  const { urn, id } = beforeReference;
  const configuredBefore = context.snapshot.loaded.find((state) => state.urn === urn && state.id === id);
  if (configuredBefore === undefined) return false;
  const difference = await context.registry.compare(configuredBefore, usable);
  return difference !== undefined && demandsReplacement(difference);
}
