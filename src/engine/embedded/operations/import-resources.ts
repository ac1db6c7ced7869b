import type { ImportOptions, ImportResult, ResourceToImport, StackReference } from "../../engine.ts";
import { Stopped } from "../deployment/failures.ts";
import { importAll } from "../deployment/import-phase.ts";
import { warnOfPending } from "../deployment/interrupted.ts";
import { declarationsOf } from "../program/declaration.ts";
import { sdkPackages } from "../program/sdk-package.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { stackType } from "../urn.ts";
import { mapToPlain } from "../values/plain.ts";
import { beginOperation, type Operation, type Setting, throwWhatEnded, untilTold, withLock } from "./operation.ts";
import { contextOfFile } from "./operation-context.ts";
import { readState } from "./stack-files.ts";

/**
 * Takes objects that exist in the cloud into a stack's state, without running the program. With `previewOnly` it only shows what it
 * would take, saves nothing and takes no lock.
 */
export async function importResources(
  setting: Setting,
  stack: StackReference,
  resources: readonly ResourceToImport[],
  options: ImportOptions,
): Promise<ImportResult> {
  const operation = await beginOperation(setting, stack, options, options.previewOnly);
  const work = () => untilTold(operation, () => takeOver(operation, resources, options));
  return options.previewOnly ? work() : withLock(operation, "resource-import", work);
}

async function takeOver(
  operation: Operation,
  resources: readonly ResourceToImport[],
  { protect = true, previewOnly = false, nameTable = {} }: ImportOptions,
): Promise<ImportResult> {
  const startedAt = performance.now();
  const { files, reporter } = operation;
  const context = await contextOfFile(operation, previewOnly, await readState(files));
  const { snapshot } = context;
  const sdks = sdkPackages(files.project.programDirectory);
  let imported: ResourceState[] = [];
  try {
    warnOfPending(context);
    imported = await importAll(context, resources, { protect, requestFor: sdks });
    await snapshot.save();
  } catch (error) {
    if (!(error instanceof Stopped)) throw error; // why it was stopped is said below
  } finally {
    await context.registry.close();
  }
  throwWhatEnded(operation);
  const program = await declarationsOf(imported, {
    named: nameTable,
    explicitProviders: new Set(resources.flatMap(({ provider }) => provider ?? [])),
    sdkOf: async (packageName) => (await sdks(packageName)).sdk,
  });
  const outputs = snapshot.resources().find(({ type }) => type === stackType)?.outputs ?? {};
  return {
    changes: reporter.changes,
    outputs: mapToPlain(outputs),
    program,
    durationMs: performance.now() - startedAt,
  };
}
