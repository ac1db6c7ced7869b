import { mkdir, rm } from "node:fs/promises";
import { basename, delimiter, dirname } from "node:path";
import type { Stack, UpOptions } from "@pulumi/pulumi/automation/index.js";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import {
  openConfiguration,
  openState,
  openVault,
  readState,
  requireStackFiles,
  type StackFiles,
} from "../embedded/operations/stack-files.ts";
import { backendFolder, readCheckpoint, writeCheckpoint } from "../embedded/state/backend.ts";
import { formatCheckpoint } from "../embedded/state/checkpoint.ts";
import { refuseLocked } from "../embedded/state/lock.ts";
import type { EngineEvent, OperationOptions, OperationResult, StackReference } from "../engine.ts";
import { interrupted } from "../interrupted.ts";
import { inOwnProcessGroup } from "./command.ts";
import { Trouble } from "./failure.ts";
import { type RequiredPlugin, requireInstallation } from "./find.ts";
import { ForeseenOutputs } from "./foreseen-outputs.ts";
import { copyForRun, type RunFile } from "./stack-file.ts";

/** What the engine was made with. */
export interface Setting {
  plugins: readonly RequiredPlugin[];
  /** The Node that runs programs. */
  nodePath: string;
}

/** The options that every operation of the Automation API takes. */
type CommonOptions = Pick<
  UpOptions,
  | "color"
  | "suppressProgress"
  | "configFile"
  | "signal"
  | "onEvent"
  | "parallel"
  | "userAgent"
  | "target"
  | "targetDependents"
  | "refresh"
> & {
  /** URNs, for the verbs that run the program. */
  replace?: string[];
};

/** One of the CLI's operations. */
export interface Verb {
  /** Whether it changes the state, and so needs the lock. */
  changes: boolean;
  /** Whether a stack without state is nothing to work on. */
  needsState: boolean;
  /** @returns the stack's outputs, secrets in clear; undefined where they are only foreseen */
  run(stack: Stack, options: CommonOptions): Promise<Record<string, unknown> | undefined>;
}

/** Runs one operation of the CLI on a stack, with the refusals, events and errors of the engines' interface. */
export async function runOperation(
  setting: Setting,
  reference: StackReference,
  options: OperationOptions,
  verb: Verb,
): Promise<OperationResult> {
  const startedAt = performance.now();
  const { signal, onEvent = () => undefined } = options;
  const files = await requireStackFiles(reference);
  let warnings = 0;
  const warn = (message: string) => onEvent(warningEvent(warnings++, message));
  const cli = await requireInstallation(setting.plugins);
  const selecting = selectStack(cli, setting, reference);
  selecting.catch(() => undefined); // awaited below, unless the state is refused first
  const begun = await prepareState(reference, files, verb, warn);
  const trouble = new Trouble();
  const foreseen = new ForeseenOutputs();
  let run: RunFile | undefined;
  let changes: OperationResult["changes"] = {};
  try {
    const stack = await selecting;
    run = await copyForRun(files.project, files.file, reference.configOverrides);
    throwIfInterrupted(signal);
    const outputs = await verb.run(stack, {
      color: "never",
      suppressProgress: true,
      userAgent: "slipway",
      configFile: run.path,
      ...(signal === undefined ? {} : { signal }),
      ...automationOptions(options),
      onEvent: (told) => {
        const event = told as EngineEvent; // the Automation API declares less of it than the CLI sends
        if (event.summaryEvent !== undefined) changes = event.summaryEvent.resourceChanges;
        trouble.note(event);
        foreseen.note(event);
        onEvent({ ...event, sequence: event.sequence + warnings });
      },
    });
    return { changes, outputs: outputs ?? foreseen.plain, durationMs: performance.now() - startedAt };
  } catch (error) {
    throwIfInterrupted(signal, error);
    throw trouble.failure(error);
  } finally {
    await run?.remove();
    if (!verb.changes) await begun.takeBack();
  }
}

/** What the caller has said, in the Automation API's words; what was left out stays the project's to say. */
export function automationOptions({
  parallel,
  targets,
  targetDependents,
  replaces,
  refresh,
}: OperationOptions): CommonOptions {
  return {
    ...(parallel === undefined ? {} : { parallel }),
    ...(targets === undefined ? {} : { target: targets }),
    ...(targetDependents === undefined ? {} : { targetDependents }),
    ...(replaces === undefined ? {} : { replace: replaces }),
    ...(refresh === undefined ? {} : { refresh }),
  };
}

/**
 * Shows that the state can be worked with, as the embedded engine does, and gives a new stack an empty one: `pulumi stack init` would
 * write to the user's stack file.
 */
async function prepareState(
  reference: StackReference,
  files: StackFiles,
  verb: Verb,
  warn: (message: string) => void,
): Promise<{ takeBack(): Promise<void> }> {
  const { paths, file, stack } = files;
  const json = await readState(files);
  if (json === undefined && verb.needsState) {
    throw new SlipwayError("E_STACK_UNKNOWN", `the stack ${stack} has no state: there is nothing to work on`);
  }
  const vault = await openVault(reference, file, json);
  await openConfiguration(reference, files);
  openState(paths, json, vault);
  if (verb.changes) {
    await refuseLocked(paths.locks, warn);
  }
  if (json !== undefined) return { takeBack: async () => undefined };
  const empty = formatCheckpoint(paths.name, { resources: [], pending: [], metadata: {} }, vault);
  await mkdir(backendFolder(reference.backendUrl), { recursive: true });
  await writeCheckpoint(paths, empty);
  return {
    takeBack: async () => {
      const found = await readCheckpoint(paths);
      if (found?.text !== empty) return;
      for (const path of [found.file, `${found.file}.attrs`]) await rm(path, { force: true });
    },
  };
}

/** The stack as the Automation API has it. Loading that takes half a second: only who uses it pays for it. */
async function selectStack(path: string, setting: Setting, reference: StackReference): Promise<Stack> {
  const { projectRoot, stack, backendUrl, passphrase, env = {} } = reference;
  const { LocalWorkspace, PulumiCommand, Stack } = await import("@pulumi/pulumi/automation/index.js");
  const found = await PulumiCommand.get(
    basename(dirname(path)) === "bin" ? { root: dirname(dirname(path)) } : {},
  ).catch((error: unknown) => {
    throw unusable(path, error);
  });
  const command = inOwnProcessGroup(found, path);
  const workspace = await LocalWorkspace.create({
    workDir: projectRoot,
    pulumiCommand: command,
    envVars: {
      ...env,
      PATH: [dirname(setting.nodePath), process.env.PATH].filter(Boolean).join(delimiter),
      PULUMI_BACKEND_URL: backendUrl,
      PULUMI_CONFIG_PASSPHRASE: passphrase,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      // a stack file without a salt goes with a state that has one, as the embedded engine leaves it
      PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER: "true",
    },
  });
  // every command names its stack; the one that the user has selected stays selected
  workspace.selectStack = async () => undefined;
  return Stack.select(stack, workspace);
}

/** A CLI that does not run, or is older than the Automation API works with. */
function unusable(path: string, cause: unknown): SlipwayError {
  return new SlipwayError("E_ENGINE_MISSING", `${path} cannot be used as the official engine`, {
    cause,
    details: messageOf(cause).split("\n"),
    hint: "Install a current Pulumi CLI, or use `--engine embedded`: both engines work on the same state.",
  });
}

function warningEvent(sequence: number, message: string): EngineEvent {
  return {
    sequence,
    timestamp: Math.floor(Date.now() / 1000),
    diagnosticEvent: { prefix: "warning: ", message: `${message}\n`, color: "never", severity: "warning" },
  };
}

function throwIfInterrupted(signal: AbortSignal | undefined, cause?: unknown): void {
  if (signal?.aborted) throw interrupted(cause);
}
