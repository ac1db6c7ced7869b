import { SlipwayError } from "../../../common/errors.ts";
import { type DiffResult, InitializationFailed } from "../../resource-provider.ts";
import type { UsableProvider } from "../providers/provider-registry.ts";
import { type ResourceState, urnsBefore } from "../state/resource-state.ts";
import { afterRefresh, inverted } from "../steps/after-refresh.ts";
import { UrnPatterns } from "../steps/urn-patterns.ts";
import { isProviderType } from "../urn.ts";
import { equalButForNulls } from "../values/equality.ts";
import { mapToProvider, withSecretsOf } from "../values/provider-values.ts";
import { assertRunning, type Context, identityOf, now } from "./context.ts";
import { Stopped } from "./failures.ts";
import { outputsOf } from "./new-state.ts";
import type { Refreshed } from "./reporter.ts";

/** Which resources are looked at, and whether that is all that the operation does. */
export interface RefreshScope {
  /** URNs or patterns of them; left out: all. */
  targets?: readonly string[] | undefined;
  targetDependents?: boolean | undefined;
  /** What was found is counted: it is the operation's result, not its beginning. */
  counts: boolean;
}

/**
 * Brings the state to what the providers say of each resource (pulumi/pulumi, step.go, RefreshStep), before anything else is done
 * with it. What was read is saved even where another resource could not be; that failure is in `context.failures` then.
 */
export async function refreshState(context: Context, scope: RefreshScope): Promise<void> {
  const { snapshot, failures } = context;
  const order = snapshot.remaining();
  const read = new Map<ResourceState, ResourceState | undefined>();
  await Promise.all(
    lookedAt(order, scope).map(async (state) => {
      try {
        read.set(state, await refreshOne(context, state, scope.counts));
      } catch (error) {
        if (!(error instanceof Stopped)) failures.step(state.urn, error);
      }
    }),
  );
  snapshot.rebase(afterRefresh(order, read));
  await snapshot.save();
}

/** Throws SlipwayError E_LOOKUP for a target that is not in the state. */
function lookedAt(order: readonly ResourceState[], { targets, targetDependents }: RefreshScope): ResourceState[] {
  const named = new UrnPatterns(targets ?? []);
  if (named.isEmpty) return [...order];
  const [unknown, ...others] = [...named.literals].filter((urn) => !order.some((state) => state.urn === urn));
  if (unknown !== undefined) {
    throw new SlipwayError("E_LOOKUP", `the stack has no resource ${unknown}`, {
      details: others,
      hint: "Look for its URN in `slipway stack export`; put one with a $ in single quotes.",
    });
  }
  const chosen = new Set<string>();
  for (const state of order) {
    const depends = targetDependents === true && [...urnsBefore(state)].some((urn) => chosen.has(urn));
    if (named.has(state.urn) || depends) chosen.add(state.urn);
  }
  return order.filter(({ urn }) => chosen.has(urn));
}

/** Answers what became of the resource, undefined where it is gone. */
async function refreshOne(context: Context, old: ResourceState, counts: boolean): Promise<ResourceState | undefined> {
  // Components and providers are the state's own; what is to be created again has nothing to be read.
  const isKept = !old.custom || isProviderType(old.type) || old.pendingReplacement === true;
  return context.limit.run(() => {
    assertRunning(context);
    return context.reporter.refresh(old, counts, async () =>
      isKept ? { operation: "same", state: old } : readAgain(context, old),
    );
  });
}

async function readAgain(context: Context, old: ResourceState): Promise<Refreshed> {
  const usable = await context.registry.forState(old);
  const found = await ask(context, old, usable);
  if (found.id === "") return { operation: "delete", state: undefined };
  const inputs = Object.keys(found.inputs).length === 0 ? old.inputs : withSecretsOf(found.inputs, old.inputs);
  const state: ResourceState = { ...old, id: found.id, inputs, initErrors: found.reasons };
  // what was secret stays so, whatever made it that
  state.outputs = withSecretsOf(outputsOf(found.outputs, state, usable), old.outputs);
  context.reporter.redactor.learn(state.inputs);
  context.reporter.redactor.learn(state.outputs);
  const isUnchanged = equalButForNulls(inputs, old.inputs) && equalButForNulls(state.outputs, old.outputs);
  if (!isUnchanged) state.modified = now();
  // An external resource has no wishes of the program to be compared with.
  if (old.external) return { operation: equalButForNulls(state.outputs, old.outputs) ? "same" : "update", state };
  const diff = await drift(old, state, usable);
  const drifted = diff.changes || diff.replaces.length > 0 || Object.keys(diff.detailedDiff).length > 0;
  return { operation: drifted ? "update" : "same", state, diff };
}

/** What an `up` of an unchanged program would do about the resource as it was read, seen from the other side. */
async function drift(old: ResourceState, read: ResourceState, { provider }: UsableProvider): Promise<DiffResult> {
  if (provider === undefined) return { changes: false, replaces: [], deleteBeforeReplace: false, detailedDiff: {} };
  const [outputs, inputs, wishes] = [read.outputs, read.inputs, old.inputs].map(mapToProvider) as [
    ReturnType<typeof mapToProvider>,
    ReturnType<typeof mapToProvider>,
    ReturnType<typeof mapToProvider>,
  ];
  return inverted(await provider.diff(identityOf(old), read.id ?? "", outputs, inputs, wishes, old.ignoreChanges));
}

async function ask(context: Context, old: ResourceState, { provider, reference }: UsableProvider) {
  if (provider === undefined) throw new Error(`the configuration of the provider ${reference} is not known`);
  const [outputs, inputs] = [mapToProvider(old.outputs), mapToProvider(old.inputs)];
  try {
    const options = { timeoutSeconds: old.customTimeouts?.read ?? 0, signal: context.signal };
    return { ...(await provider.read(identityOf(old), old.id ?? "", outputs, inputs, options)), reasons: [] };
  } catch (error) {
    if (!(error instanceof InitializationFailed)) throw error;
    const { id, outputs: found, reasons } = error;
    const lines = reasons.map((reason) => `* ${reason}`).join("\n");
    context.reporter.message("warning", `Refreshed resource is in an unhealthy state:\n${lines}`, old.urn);
    return { id, outputs: found, inputs: {}, reasons };
  }
}
