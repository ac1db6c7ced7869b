import { withOrigin } from "../providers/default-providers.ts";
import type { ResourceState } from "../state/resource-state.ts";
import type { Goal } from "../steps/goal.ts";
import { isProviderType, packageOf } from "../urn.ts";
import type { Claim } from "./claims.ts";
import { registerComponent } from "./components.ts";
import type { Context } from "./context.ts";
import { enginePackage, unsupported } from "./engine-built.ts";
import { registerCustom } from "./registration.ts";

/** Claims a resource's URN, and what the state has of it. Throws InvalidRequest. */
export function claimFor(
  { claims, snapshot }: Context,
  goal: Pick<Goal, "type" | "name" | "parent" | "aliases">,
): Claim {
  return claims.claim(goal, goal.aliases, (urn) => snapshot.isKnown(urn));
}

/** Brings a resource to what is asked, each kind in its way. */
export async function bring(context: Context, claim: Claim, goal: Goal): Promise<ResourceState> {
  if (!goal.custom) return registerComponent(context, claim, goal);
  if (isProviderType(goal.type)) {
    const state = await registerCustom(context, claim, { ...goal, inputs: withOrigin(goal.inputs, goal) });
    context.registry.registered(state);
    return state;
  }
  if (packageOf(goal.type) === enginePackage) throw unsupported(`resources of the engine itself (${goal.type})`);
  return registerCustom(context, claim, goal);
}
