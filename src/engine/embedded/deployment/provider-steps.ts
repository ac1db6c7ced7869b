import { randomUUID } from "node:crypto";
import type { StepOperation } from "../../events.ts";
import { InitializationFailed, unknown } from "../../resource-provider.ts";
import type { UsableProvider } from "../providers/provider-registry.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { isProviderType } from "../urn.ts";
import { mapValues, type ValueMap } from "../values/value.ts";
import { unknownSentinel } from "../values/wire.ts";
import { assertRunning, type Context, identityOf, now } from "./context.ts";
import { outputsOf } from "./new-state.ts";
import type { StepFacts } from "./step-metadata.ts";

/** A resource to be made. */
export interface Creation {
  state: ResourceState;
  usable: UsableProvider;
  operation: "create" | "create-replacement";
  facts: StepFacts;
  /** Leaves the state with the creation: it was deleted before. */
  supersedes?: ResourceState;
  /** Stays in the state to be deleted after the program has run. */
  retires?: ResourceState;
}

/** Makes a resource; pending on disk before the provider is asked, saved after. In a preview, foresees its outputs. */
export async function create(context: Context, creation: Creation): Promise<void> {
  const { state, usable, operation, facts, supersedes, retires } = creation;
  const { snapshot } = context;
  const settle = (id: string, outputs: ValueMap) => {
    if (id !== "") state.id = id;
    state.outputs = outputsOf(outputs, state, usable);
    state.created = state.modified = now();
    context.reporter.redactor.learn(state.outputs);
    if (retires !== undefined) {
      retires.delete = true;
      snapshot.rename(retires.urn, state.urn);
    }
    snapshot.put(state, supersedes);
  };
  await step(context, operation, state, facts, async () => {
    const options = { timeoutSeconds: state.customTimeouts?.create ?? 0 };
    if (context.preview) {
      const answer = await usable.provider?.create(identityOf(state), state.inputs, true, options);
      return settle(foreseenId(state), answer?.outputs ?? mapValues(state.inputs, () => unknown));
    }
    const pending = await snapshot.begin("creating", state);
    let isUncertain = false;
    try {
      const answer = await providerOf(usable).create(identityOf(state), state.inputs, false, options);
      settle(answer.id, answer.outputs);
    } catch (error) {
      if (error instanceof InitializationFailed) {
        settle(error.id, error.outputs);
        state.initErrors = error.reasons;
      } else isUncertain = usable.provider?.mayHaveMade?.(error) ?? false;
      throw error;
    } finally {
      if (!isUncertain) snapshot.end(pending); // else the next run looks for the object
      await snapshot.save();
    }
  });
}

/**
 * A preview tells the program nothing of ids that are yet to come, but that of an explicit provider is part of its reference. It never
 * sees a default provider's (they have no parent).
 */
function foreseenId({ type, parent }: ResourceState): string {
  if (!isProviderType(type)) return "";
  return parent === undefined ? randomUUID() : unknownSentinel;
}

/** Changes a resource in place. */
export async function update(
  context: Context,
  { state, old, usable, facts }: { state: ResourceState; old: ResourceState; usable: UsableProvider; facts: StepFacts },
): Promise<void> {
  const { snapshot } = context;
  const settle = (outputs: ValueMap) => {
    state.outputs = outputsOf(outputs, state, usable);
    state.modified = now();
    context.reporter.redactor.learn(state.outputs);
    snapshot.put(state, old);
  };
  const call = (preview: boolean) =>
    providerOf(usable).update(identityOf(state), old.id ?? "", old.outputs, old.inputs, state.inputs, preview, {
      timeoutSeconds: state.customTimeouts?.update ?? 0,
    });
  await step(context, "update", state, facts, async () => {
    if (context.preview)
      return settle(usable.provider === undefined ? mapValues(old.outputs, () => unknown) : await call(true));
    const pending = await snapshot.begin("updating", state);
    let isUncertain = false;
    try {
      settle(await call(false));
    } catch (error) {
      if (error instanceof InitializationFailed) {
        settle(error.outputs);
        state.initErrors = error.reasons;
      } else isUncertain = usable.provider?.mayHaveMade?.(error) ?? false;
      throw error;
    } finally {
      if (!isUncertain) snapshot.end(pending); // else the next run looks at the object
      await snapshot.save();
    }
  });
}

/** How a deleted resource leaves: for good, or remembered as to be made again. */
export type Departure = "removed" | "to be replaced";

/** Deletes a resource, unless there is nothing to ask a provider for: components, providers, what is not owned or to be kept. */
export async function remove(
  context: Context,
  state: ResourceState,
  operation: "delete" | "delete-replaced",
  departure: Departure,
  goesWithAnother = false,
): Promise<void> {
  const { snapshot } = context;
  const depart = () => {
    if (departure === "removed") snapshot.remove(state);
    else state.pendingReplacement = true;
  };
  await step(context, operation, state, {}, async () => {
    if (context.preview) return depart();
    if (state.custom && !isProviderType(state.type) && !state.external && !state.retainOnDelete && !goesWithAnother) {
      const usable = await context.registry.forState(state);
      const pending = await snapshot.begin("deleting", state);
      let isUncertain = false;
      try {
        const options = { timeoutSeconds: state.customTimeouts?.delete ?? 0 };
        await providerOf(usable).delete(identityOf(state), state.id ?? "", state.outputs, state.inputs, options);
        depart();
      } catch (error) {
        isUncertain = usable.provider?.mayHaveMade?.(error) ?? false;
        throw error;
      } finally {
        if (!isUncertain) snapshot.end(pending); // else the next run looks at the object
        await snapshot.save();
      }
    } else {
      depart();
      await snapshot.save();
    }
  });
}

/** One step of the operation: it starts only while the operation runs, and no more than the limit at a time. */
export function step(
  context: Context,
  operation: StepOperation,
  state: ResourceState,
  facts: StepFacts,
  action: () => Promise<void>,
) {
  return context.limit.run(() => {
    assertRunning(context);
    return context.reporter.step(operation, state, facts, action);
  });
}

/** The provider, where it can be asked. Throws where its configuration is not known. */
export function providerOf(usable: UsableProvider) {
  if (usable.provider === undefined)
    throw new Error(`the configuration of the provider ${usable.reference} is not known`);
  return usable.provider;
}
