import { SlipwayError } from "../../../common/errors.ts";
import { bring, claimFor } from "../deployment/bring.ts";
import { Claims } from "../deployment/claims.ts";
import type { Context } from "../deployment/context.ts";
import { noReplacements } from "../deployment/replacements.ts";
import type { Configuration } from "../project/configuration.ts";
import type { Vault } from "../secrets/vault.ts";
import { readCheckpoint, writeCheckpoint } from "../state/backend.ts";
import { formatCheckpoint, type Deployment as StoredDeployment, saysTheSame } from "../state/checkpoint.ts";
import { ResourceTexts } from "../state/resource-texts.ts";
import { Snapshot } from "../state/snapshot.ts";
import { Limit } from "../steps/limit.ts";
import { configurationOf, type Operation } from "./operation.ts";
import { registryOf } from "./providers.ts";
import { openState, openVault, readState } from "./stack-files.ts";

/** What an operation works on, opened. */
export interface Opened {
  stored: StoredDeployment;
  configuration: Configuration;
  vault: Vault;
}

/**
 * {@link contextOf} for an operation that has nothing to do without state. Throws SlipwayError E_STACK_UNKNOWN.
 * @param what completes "there is nothing to"
 */
export async function contextOfState(operation: Operation, preview: boolean, what: string): Promise<Context> {
  const { files } = operation;
  const json = await readState(files);
  if (json === undefined) {
    throw new SlipwayError("E_STACK_UNKNOWN", `the stack ${files.stack} has no state: there is nothing to ${what}`, {
      hint: `Run \`slipway up ${files.stack}\` first.`,
    });
  }
  return contextOfFile(operation, preview, json);
}

/** {@link contextOf} for an operation that has nothing to do while the state is opened; without a file, for a new state. */
export async function contextOfFile(
  operation: Operation,
  preview: boolean,
  json: Awaited<ReturnType<typeof readState>>,
): Promise<Context> {
  const { stack, files } = operation;
  const [vault, configuration] = await Promise.all([openVault(stack, files.file, json), configurationOf(operation)]);
  return contextOf(operation, preview, { stored: openState(files.paths, json, vault), configuration, vault });
}

/** Puts together what the parts of an operation share. */
export function contextOf(operation: Operation, preview: boolean, { stored, configuration, vault }: Opened): Context {
  const { stack, files, reporter, failures, signal, parallel, targeting, written } = operation;
  const { paths, project } = files;
  for (const state of [...stored.resources, ...stored.pending.map((pending) => pending.resource)]) {
    reporter.redactor.learn(state.inputs);
    reporter.redactor.learn(state.outputs);
  }
  const texts = new ResourceTexts(vault);
  const write = async (deployment: StoredDeployment, onlyIfChanged: boolean) => {
    const text = formatCheckpoint(paths.name, deployment, vault, texts);
    written.text = text;
    const last = onlyIfChanged ? await readCheckpoint(paths) : undefined;
    if (last === undefined || !saysTheSame(text, last.text)) await writeCheckpoint(paths, text);
  };
  const snapshot = new Snapshot(stored, preview ? undefined : write);
  targeting.assertReplacesKnown((urn) => snapshot.loaded.some((state) => state.urn === urn));
  const names = { stack: stack.stack, project: project.name };
  const claims = new Claims(names);
  const registry = registryOf(operation, {
    configuration,
    snapshot,
    currentUrn: (urn) => claims.current(urn),
    register: (goal) => bring(context, claimFor(context, goal), goal),
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
    replacements: noReplacements(),
  };
  return context;
}
