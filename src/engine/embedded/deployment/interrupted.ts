import { InitializationFailed } from "../../resource-provider.ts";
import type { UsableProvider } from "../providers/provider-registry.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { isProviderType, nameOf } from "../urn.ts";
import { type Context, identityOf, now } from "./context.ts";
import { outputsOf } from "./new-state.ts";

/** Says what the last operation began and did not end, in the official engine's words. */
export function warnOfPending(context: Context): void {
  const pending = context.snapshot.interrupted();
  if (pending.length === 0) return;
  const lines = pending.map(({ type, resource }) => `  * ${resource.urn}, interrupted while ${type}`);
  context.reporter.message(
    "warning",
    `Attempting to deploy or update resources with ${pending.length} pending operations from previous deployment.\n${lines.join("\n")}`,
  );
}

/** URNs of what an interrupted run was changing or deleting: the state may be true of it no more, and is to be compared with the cloud first. */
export function doubtful({ snapshot }: Context): string[] {
  const touched = snapshot.interrupted().filter(({ type }) => type === "updating" || type === "deleting");
  const urns = new Set(touched.map(({ resource }) => resource.urn));
  return [...new Set(snapshot.remaining().map(({ urn }) => urn))].filter((urn) => urns.has(urn));
}

/**
 * If an interrupted run was making this resource, asks the provider what became of it and takes the object into the state, so that
 * the registration goes on as if that run had ended well. A provider that cannot tell leaves the warning standing, as the
 * official engine does.
 */
export async function adoptInterrupted(context: Context, urn: string, usable: UsableProvider): Promise<void> {
  const { snapshot } = context;
  for (const pending of snapshot.interruptedCreations()) {
    const made = pending.resource;
    if (made.urn !== urn || usable.provider?.findInterrupted === undefined) continue;
    const found = await usable.provider.findInterrupted(identityOf(made), made.inputs).catch((error: unknown) => {
      if (error instanceof InitializationFailed) return error;
      throw error;
    });
    if (!snapshot.interruptedCreations().includes(pending)) continue; // settled meanwhile by whoever else asked
    // one that another resource of the stack has is no leftover, however alike the two are
    const known = snapshot.resources().some((state) => state.type === made.type && state.id === found?.id);
    if (found !== undefined && !known) take(context, made, found, usable);
    snapshot.end(pending);
    await snapshot.save();
  }
}

/** {@link adoptInterrupted} for what the program has not registered, before deletions are planned; a failed look is a failed step. */
export async function adoptUnregistered(context: Context): Promise<void> {
  for (const { resource } of context.snapshot.interruptedCreations()) {
    if (context.claims.has(resource.urn)) continue;
    if (resource.provider === undefined && !isProviderType(resource.type)) continue;
    try {
      await adoptInterrupted(context, resource.urn, await context.registry.forState(resource));
    } catch (error) {
      context.failures.step(resource.urn, error);
    }
  }
}

function take(
  context: Context,
  made: ResourceState,
  found: { id: string; outputs: ResourceState["outputs"]; reasons?: string[] },
  usable: UsableProvider,
): void {
  const predecessor = context.snapshot.old(made.urn);
  const isGone = predecessor?.pendingReplacement === true;
  if (predecessor !== undefined && !isGone) predecessor.delete = true;
  const state: ResourceState = {
    ...made,
    id: found.id,
    initErrors: found.reasons ?? [],
    created: now(),
    modified: now(),
  };
  state.outputs = outputsOf(found.outputs, state, usable);
  context.reporter.redactor.learn(state.outputs);
  context.snapshot.adopt(state, isGone ? predecessor : undefined);
  context.reporter.message(
    "info",
    `adopted ${nameOf(made.urn)} (${found.id}), which an interrupted run had made`,
    made.urn,
  );
}
