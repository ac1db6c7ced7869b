import type { OperationResult, RefreshOptions, StackReference } from "../../engine.ts";
import { adoptUnregistered, warnOfPending } from "../deployment/interrupted.ts";
import { refreshState } from "../deployment/refresh-phase.ts";
import { stackType } from "../urn.ts";
import { mapToPlain } from "../values/plain.ts";
import { beginOperation, type Operation, type Setting, throwWhatEnded, untilTold, withLock } from "./operation.ts";
import { contextOfState } from "./operation-context.ts";

/**
 * Brings the state to what the providers say, without running the program and without changing a resource. With `previewOnly` it
 * only shows what it would find, saves nothing and takes no lock. Throws SlipwayError E_STACK_UNKNOWN without state.
 */
export async function refresh(
  setting: Setting,
  stack: StackReference,
  options: RefreshOptions,
): Promise<OperationResult> {
  const operation = await beginOperation(setting, stack, options, options.previewOnly);
  const work = () => untilTold(operation, () => lookAtAll(operation, options));
  return options.previewOnly ? work() : withLock(operation, "refresh", work);
}

async function lookAtAll(operation: Operation, options: RefreshOptions): Promise<OperationResult> {
  const startedAt = performance.now();
  const { reporter } = operation;
  const context = await contextOfState(operation, options.previewOnly === true, "refresh");
  const { snapshot } = context;
  try {
    warnOfPending(context);
    if (options.clearPendingCreates) {
      for (const pending of snapshot.interruptedCreations()) snapshot.end(pending);
    } else if (operation.scope.targets === undefined) {
      // what an interrupted create made is found by the providers that can look; the others' stays noted
      await adoptUnregistered(context);
    }
    await refreshState(context, { ...operation.scope, counts: true });
  } finally {
    await context.registry.close();
  }
  throwWhatEnded(operation);
  const outputs = snapshot.resources().find(({ type }) => type === stackType)?.outputs ?? {};
  return { changes: reporter.changes, outputs: mapToPlain(outputs), durationMs: performance.now() - startedAt };
}
