import { setTimeout as sleep } from "node:timers/promises";
import type { OperationOptions, OperationResult, StackReference } from "../../engine.ts";
import type { Context } from "../deployment/context.ts";
import { deleteUnregistered } from "../deployment/delete-phase.ts";
import { Deployment } from "../deployment/deployment.ts";
import { doubtful, warnOfPending } from "../deployment/interrupted.ts";
import { refreshState } from "../deployment/refresh-phase.ts";
import { startMonitor } from "../monitor/monitor-server.ts";
import { type ProgramEnd, startProgram } from "../program/program.ts";
import type { Configuration } from "../project/configuration.ts";
import { mapToPlain } from "../values/plain.ts";
import {
  beginOperation,
  configurationOf,
  type Operation,
  type Setting,
  throwWhatEnded,
  untilTold,
  withLock,
} from "./operation.ts";
import { contextOf } from "./operation-context.ts";
import { ProgramMessages } from "./program-log.ts";
import { openState, openVault, readState } from "./stack-files.ts";

/** How long a program may go on after a step failed: its SDK stops at its next request, but it may be waiting for something else. */
const afterFailureMs = 10_000;

/** Runs the program and shows what an update would do. Changes and saves nothing, and takes no lock. */
export async function preview(
  setting: Setting,
  stack: StackReference,
  options: OperationOptions,
): Promise<OperationResult> {
  const operation = await beginOperation(setting, stack, options, true);
  return untilTold(operation, () => runProgram(operation, true));
}

/** Runs the program and brings the resources to what it registers. */
export async function up(setting: Setting, stack: StackReference, options: OperationOptions): Promise<OperationResult> {
  const operation = await beginOperation(setting, stack, options);
  return withLock(operation, "update", () => untilTold(operation, () => runProgram(operation, false)));
}

async function runProgram(operation: Operation, isPreview: boolean): Promise<OperationResult> {
  const startedAt = performance.now();
  const { stack, files, reporter } = operation;
  const json = await readState(files);
  // The program loads while the key is derived; its first registration waits for the state.
  const opening = openVault(stack, files.file, json);
  opening.catch(() => undefined); // awaited with the context, unless the configuration fails first
  const configuration = await configurationOf(operation);
  const context = opening.then((vault) =>
    contextOf(operation, isPreview, { stored: openState(files.paths, json, vault), configuration, vault }),
  );
  const deployment = context.then(async (opened) => {
    warnOfPending(opened);
    await refreshFirst(opened, operation);
    return new Deployment(opened);
  });
  deployment.catch(() => undefined); // awaited beside the program, unless that cannot be started
  const messages = new ProgramMessages(reporter);
  try {
    const end = await programEnd(operation, configuration, isPreview, deployment, messages);
    const outputs = await settle(operation, await context, await deployment, end, messages);
    return { changes: reporter.changes, outputs, durationMs: performance.now() - startedAt };
  } finally {
    await context.then(
      (opened) => opened.registry.close(),
      () => undefined, // thrown above already
    );
  }
}

/**
 * Looks at what the user wants looked at, and at what an interrupted run left in doubt. The program's registrations wait for it; what
 * could not be read ends the operation before it has begun.
 */
async function refreshFirst(context: Context, { refreshFirst: isAsked, scope, failures }: Operation): Promise<void> {
  const inDoubt = doubtful(context);
  if (!isAsked && inDoubt.length === 0) return;
  const targets = isAsked ? scope.targets && [...scope.targets, ...inDoubt] : inDoubt;
  await refreshState(context, { ...scope, targets, counts: false });
  const failure = failures.verdict(false);
  if (failure !== undefined) throw failure;
}

/** Runs the program to its end, and the steps that it began. */
async function programEnd(
  operation: Operation,
  configuration: Configuration,
  isPreview: boolean,
  deployment: Promise<Deployment>,
  messages: ProgramMessages,
): Promise<ProgramEnd> {
  const { setting, stack, files, reporter, failures, signal, parallel } = operation;
  const monitor = await startMonitor(deployment, messages.log, files.project.root);
  try {
    const program = await (setting.launch ?? startProgram)({
      project: files.project,
      stack: stack.stack,
      configuration,
      monitor: monitor.address,
      preview: isPreview,
      parallel,
      nodePath: setting.nodePath,
      env: stack.env ?? {},
      onOutput: (line, isError) => reporter.message(isError ? "info#err" : "info", line),
    });
    const stop = () => program.stop();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    try {
      void failures.first
        .then(() => monitor.idle())
        .then(() => sleep(afterFailureMs, undefined, { ref: false }))
        .then(stop);
      await deployment; // a wrong passphrase or a damaged state need not wait for the program
      return await program.ended;
    } finally {
      stop();
      signal.removeEventListener("abort", stop);
      await program.ended;
      await monitor.idle();
    }
  } finally {
    monitor.close();
  }
}

/** After the program: deletions where it ended well, the stack's outputs, the last save; throws what went wrong. */
async function settle(
  operation: Operation,
  context: Context,
  deployment: Deployment,
  end: ProgramEnd,
  messages: ProgramMessages,
): Promise<Record<string, unknown>> {
  const { failures, signal } = operation;
  if (end.succeeded && !failures.any && !signal.aborted) {
    context.targeting.assertTargetsKnown((urn) => context.claims.has(urn) || isLoaded(context, urn));
    await deleteUnregistered(context);
  }
  const succeeded = end.succeeded && !failures.any && !signal.aborted;
  const outputs = deployment.applyStackOutputs(succeeded);
  await (succeeded ? context.snapshot.save() : context.snapshot.saveIfChanged());
  throwWhatEnded(operation, end);
  if (!end.succeeded) throw messages.failure(end, failures);
  return mapToPlain(outputs);
}

function isLoaded({ snapshot }: Context, urn: string): boolean {
  return snapshot.loaded.some((state) => state.urn === urn);
}
