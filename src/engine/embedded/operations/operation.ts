import { availableParallelism } from "node:os";
import { SlipwayError } from "../../../common/errors.ts";
import type { OperationOptions, OperationResult, StackReference } from "../../engine.ts";
import type { ProviderFactory } from "../../resource-provider.ts";
import { bring, claimFor } from "../deployment/bring.ts";
import { Claims } from "../deployment/claims.ts";
import type { Context } from "../deployment/context.ts";
import { enginePackage, stackReferences } from "../deployment/engine-built.ts";
import { Failures } from "../deployment/failures.ts";
import { Reporter } from "../deployment/reporter.ts";
import { Targeting } from "../deployment/targeting.ts";
import type { ProgramLauncher } from "../program/program.ts";
import type { Configuration, StackConfiguration } from "../project/configuration.ts";
import { ProviderRegistry } from "../providers/provider-registry.ts";
import { ProviderSource } from "../providers/provider-source.ts";
import { Redactor } from "../secrets/redactor.ts";
import type { Vault } from "../secrets/vault.ts";
import { writeCheckpoint } from "../state/backend.ts";
import { formatCheckpoint, type Deployment as StoredDeployment } from "../state/checkpoint.ts";
import { type HistoryEntry, recordHistory } from "../state/history.ts";
import { acquireLock } from "../state/lock.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { Snapshot } from "../state/snapshot.ts";
import type { Goal } from "../steps/goal.ts";
import { Limit } from "../steps/limit.ts";
import { dynamicPackage, providedPackage } from "../urn.ts";
import { Secret, type ValueMap } from "../values/value.ts";
import { otherStacks } from "./other-stacks.ts";
import { assertKnown, openConfiguration, readStackFiles, type StackFiles } from "./stack-files.ts";

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
  const files = await readStackFiles(stack);
  if (files.project.name !== stack.project) {
    throw new SlipwayError(
      "E_CONFIG_INVALID",
      `Pulumi.yaml is of the project ${files.project.name}, not ${stack.project}`,
    );
  }
  await assertKnown(files);
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
export async function withLock(
  operation: Operation,
  kind: HistoryEntry["kind"],
  work: () => Promise<OperationResult>,
): Promise<OperationResult> {
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

/** Puts together what the parts of the operation share. */
export function contextOf(
  operation: Operation,
  preview: boolean,
  stored: StoredDeployment,
  configuration: Configuration,
  vault: Vault,
): Context {
  const { stack, files, reporter, failures, signal, parallel, targeting, written } = operation;
  const { paths, project } = files;
  for (const state of [...stored.resources, ...stored.pending.map((pending) => pending.resource)]) {
    reporter.redactor.learn(state.inputs);
    reporter.redactor.learn(state.outputs);
  }
  const write = async (deployment: StoredDeployment) => {
    written.text = formatCheckpoint(paths.name, deployment, vault);
    await writeCheckpoint(paths, written.text);
  };
  const snapshot = new Snapshot(stored, preview ? undefined : write);
  targeting.assertReplacesKnown((urn) => snapshot.loaded.some((state) => state.urn === urn));
  const names = { stack: stack.stack, project: project.name };
  const claims = new Claims(names);
  const references = stackReferences(otherStacks(stack), (text) => reporter.message("info", text));
  const plugins = providerSource(operation, configuration);
  const registry: ProviderRegistry = new ProviderRegistry({
    source: {
      open: async (name, version) => (name === enginePackage ? references : plugins.open(name, version)),
      close: () => plugins.close(),
    },
    ...names,
    configuration,
    oldProvider: (reference) => withCurrentConfiguration(providerIn(snapshot, reference), registry, configuration),
    currentUrn: (urn) => claims.current(urn),
    registerDefault: (type, name, inputs) => {
      const goal = providerGoal(name, type, inputs);
      return bring(context, claimFor(context, goal), goal);
    },
  });
  const context: Context = {
    preview,
    ...names,
    snapshot,
    registry,
    failures,
    reporter,
    limit: new Limit(parallel),
    signal,
    claims,
    targeting,
    replaced: new Set(),
    beingDeleted: new Map(),
    awaitingDeletion: new Set(),
    undecided: new Map(),
  };
  return context;
}

function providerSource(operation: Operation, configuration: Configuration): ProviderSource {
  const { setting, stack, files, reporter, signal } = operation;
  return new ProviderSource(setting.providers, async () => {
    const { startPluginHost } = await import("../../plugins/plugin-host.ts");
    return startPluginHost({
      project: files.project,
      configuration: configuration.values,
      nodePath: setting.nodePath,
      env: stack.env ?? {},
      signal,
      tell: (severity, message, urn) => reporter.message(severity, message, urn),
    });
  });
}

/**
 * A default provider that the program does not register any more (or a destroy, which runs no program) is still configured as the
 * stack's configuration says now: a password that was changed since would lock the user out of the clean-up.
 */
function withCurrentConfiguration(
  state: ResourceState | undefined,
  registry: ProviderRegistry,
  configuration: Configuration,
): ResourceState | undefined {
  if (state === undefined || state.parent !== undefined) return state;
  const packageName = providedPackage(state.type);
  const configured =
    packageName === dynamicPackage ||
    Object.keys(configuration.values).some((key) => key.startsWith(`${packageName}:`));
  if (!configured) return state;
  const version = typeof state.inputs.version === "string" ? state.inputs.version : "";
  return { ...state, inputs: registry.defaultInputs(packageName, version) };
}

/** The provider that a reference names; its id tells apart the generations of a replaced one. */
function providerIn(snapshot: Snapshot, { urn, id }: { urn: string; id: string }): ResourceState | undefined {
  const generation = snapshot.resources().find((state) => state.urn === urn && state.id === id);
  return generation ?? snapshot.current(urn);
}

function providerGoal(name: string, type: string, inputs: ValueMap): Goal {
  return {
    type,
    name,
    custom: true,
    parent: "",
    inputs,
    provider: "",
    version: "",
    dependencies: [],
    propertyDependencies: {},
    protect: false,
    retainOnDelete: false,
    deletedWith: "",
    deleteBeforeReplace: undefined,
    ignoreChanges: [],
    replaceOnChanges: [],
    additionalSecretOutputs: [],
    customTimeouts: {},
    aliases: [],
    importId: "",
    replacementTrigger: undefined,
    pluginDownloadUrl: "",
  };
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

/** Throws what ended an operation early. */
export function throwIfInterrupted(operation: Operation, interrupted = false): void {
  if (!operation.signal.aborted && !interrupted) return;
  throw new SlipwayError("E_INTERRUPTED", "interrupted; what had been begun was finished and is in the state", {
    hint: "Run the command again to go on.",
  });
}
