import { availableParallelism } from "node:os";
import type { OperationOptions, StackReference } from "../../engine.ts";
import { interrupted } from "../../interrupted.ts";
import type { ProviderFactory } from "../../resource-provider.ts";
import { Failures } from "../deployment/failures.ts";
import { Reporter } from "../deployment/reporter.ts";
import { Targeting } from "../deployment/targeting.ts";
import type { ProgramEnd, ProgramLauncher } from "../program/program.ts";
import type { StackConfiguration } from "../project/configuration.ts";
import { Redactor } from "../secrets/redactor.ts";
import { type HistoryEntry, recordHistory } from "../state/history.ts";
import { acquireLock } from "../state/lock.ts";
import { Secret } from "../values/value.ts";
import { openConfiguration, requireStackFiles, type StackFiles } from "./stack-files.ts";

/** What the engine was made with. */
export interface Setting {
  providers: ProviderFactory;
  /** The Node that runs programs. */
  nodePath: string;
  /** Runs the program in another way than as a Node process, e.g. within this one; {@link startProgram} where left out. */
  launch?: ProgramLauncher;
}

/** An operation on its way: what it works on and whom it tells. */
export interface Operation {
  setting: Setting;
  stack: StackReference;
  files: StackFiles;
  reporter: Reporter;
  failures: Failures;
  signal: AbortSignal;
  parallel: number;
  /** What of the stack the operation is about. */
  scope: Pick<OperationOptions, "targets" | "targetDependents">;
  /** The state is brought to what the providers say first. */
  refreshFirst: boolean;
  targeting: Targeting;
  /** The checkpoint as last written. */
  written: { text?: string };
}

/** Reads the stack's files and prepares to tell; refuses unknown stacks. */
export async function beginOperation(
  setting: Setting,
  stack: StackReference,
  options: OperationOptions,
  preview = false,
): Promise<Operation> {
  const files = await requireStackFiles(stack);
  const { targets, targetDependents } = options;
  const redactor = new Redactor();
  redactor.learn(Secret.of(stack.passphrase));
  const reporter = new Reporter(redactor, { onEvent: options.onEvent, preview });
  return {
    setting,
    stack,
    files,
    reporter,
    failures: new Failures(redactor, (error, urn) => reporter.failure(error, urn)),
    signal: options.signal ?? new AbortController().signal,
    parallel: options.parallel ?? availableParallelism() * 4,
    scope: { ...(targets === undefined ? {} : { targets }), ...(targetDependents ? { targetDependents } : {}) },
    refreshFirst: options.refresh ?? files.project.refreshAlways,
    targeting: new Targeting(options),
    written: {},
  };
}

/** Holds the stack's lock while `work` changes it, and enters it into the history. */
export async function withLock<T>(
  operation: Operation,
  kind: HistoryEntry["kind"],
  work: () => Promise<T>,
): Promise<T> {
  const { files, reporter, stack } = operation;
  const startedAt = new Date();
  const lock = await acquireLock(files.paths.locks, (message) => reporter.message("warning", message));
  let succeeded = false;
  try {
    const result = await work();
    succeeded = true;
    return result;
  } finally {
    try {
      if (operation.written.text !== undefined) {
        const { config } = files.file;
        const facts = { config, succeeded, resourceChanges: { ...reporter.changes } };
        await recordHistory(
          files.paths,
          stack.stack,
          { kind, startedAt, endedAt: new Date(), ...facts },
          operation.written.text,
        );
      }
    } finally {
      await lock.release();
    }
  }
}

/** The stack's configuration, told; from now on its secrets are masked. */
export async function configurationOf({ stack, files, reporter }: Operation): Promise<StackConfiguration> {
  const configuration = await openConfiguration(stack, files);
  const whole = configuration.secretKeys.map((key) => configuration.values[key] ?? "");
  for (const secret of [...whole, ...configuration.secrets]) reporter.redactor.learn(Secret.of(secret));
  reporter.configuration(configuration);
  return configuration;
}

/** Does an operation's work and tells how it ended. */
export async function untilTold<T>({ reporter, failures, signal }: Operation, work: () => Promise<T>): Promise<T> {
  try {
    const result = await work();
    reporter.end("succeeded");
    return result;
  } catch (error) {
    if (failures.any) reporter.message("error", `${reporter.isPreview ? "preview" : "update"} failed`);
    reporter.end(signal.aborted ? "canceled" : "failed");
    throw error;
  }
}

/** Throws what an operation failed of, or that it was interrupted. @param end of the program, where one ran */
export function throwWhatEnded(
  { failures, signal }: Operation,
  end: Pick<ProgramEnd, "succeeded" | "interrupted"> = { succeeded: true, interrupted: false },
): void {
  const failure = failures.verdict(!end.succeeded);
  if (failure !== undefined) throw failure;
  if (signal.aborted || end.interrupted) throw interrupted();
}
