import type { OperationOptions, OperationResult, StackReference } from "../../engine.ts";
import type { Context } from "../deployment/context.ts";
import { deleteUnregistered } from "../deployment/delete-phase.ts";
import { warnOfPending } from "../deployment/interrupted.ts";
import { refreshState } from "../deployment/refresh-phase.ts";
import { beginOperation, type Operation, type Setting, throwWhatEnded, untilTold, withLock } from "./operation.ts";
import { contextOfState } from "./operation-context.ts";

/** Deletes every resource of a stack, dependents first, without running its program. Throws SlipwayError E_STACK_UNKNOWN without state. */
export async function destroy(
  setting: Setting,
  stack: StackReference,
  options: OperationOptions,
): Promise<OperationResult> {
  const operation = await beginOperation(setting, stack, options);
  return withLock(operation, "destroy", () => untilTold(operation, () => deleteAll(operation)));
}

async function deleteAll(operation: Operation): Promise<OperationResult> {
  const startedAt = performance.now();
  const { failures, reporter } = operation;
  const context = await contextOfState(operation, false, "destroy");
  try {
    const isKnown = (urn: string) => context.snapshot.loaded.some((state) => state.urn === urn);
    context.targeting.assertTargetsKnown(isKnown);
    warnOfPending(context);
    if (operation.refreshFirst) await refreshState(context, { ...operation.scope, counts: false });
    if (!failures.any) await tellUntouched(context);
    if (!failures.any) await deleteUnregistered(context);
    await context.snapshot.save();
  } finally {
    await context.registry.close();
  }
  throwWhatEnded(operation);
  return { changes: reporter.changes, outputs: {}, durationMs: performance.now() - startedAt };
}

/** With targets, the rest of the stack stays the same: that is told, as the official engine tells it. */
async function tellUntouched({ snapshot, targeting, reporter }: Context): Promise<void> {
  const deletable = targeting.deletable(snapshot.loaded);
  if (deletable === undefined) return;
  for (const state of snapshot.remaining()) {
    if (!deletable.has(state.urn)) await reporter.step("same", state, { old: state }, async () => undefined);
  }
}
