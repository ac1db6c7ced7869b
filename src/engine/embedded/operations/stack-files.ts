import { SlipwayError } from "../../../common/errors.ts";
import type { StackReference } from "../../engine.ts";
import { holdsSecrets, resolveConfiguration, type StackConfiguration } from "../project/configuration.ts";
import { loadProject, type Project } from "../project/project.ts";
import { loadStackFile, type StackFile, stacksWithFile } from "../project/stack-file.ts";
import { Vault } from "../secrets/vault.ts";
import { hasState, readCheckpoint, type StackPaths, stackPaths } from "../state/backend.ts";
import {
  type CheckpointJson,
  damaged,
  openDeployment,
  parseCheckpoint,
  type Deployment as StoredDeployment,
} from "../state/checkpoint.ts";
import { integrityProblem } from "../state/integrity.ts";
import { projectOfUrn, stackOfUrn } from "../urn.ts";

/** A stack's files, read but not opened: key derivation takes half a second and need not hold up everything. */
export interface StackFiles {
  /** The stack's bare name. */
  stack: string;
  project: Project;
  file: StackFile;
  paths: StackPaths;
}

/** Reads what lies beside Pulumi.yaml. Throws SlipwayError E_CONFIG_INVALID, E_STACK_UNKNOWN, E_UNSUPPORTED. */
export async function readStackFiles({
  projectRoot,
  stack,
  backendUrl,
}: Pick<StackReference, "projectRoot" | "stack" | "backendUrl">): Promise<StackFiles> {
  const project = await loadProject(projectRoot);
  const file = await loadStackFile(project, stack);
  return { stack, project, file, paths: stackPaths(backendUrl, project.name, stack) };
}

/** The files of a stack to be worked on: of the project that the caller takes it for, and known. Throws as {@link readStackFiles}. */
export async function requireStackFiles(stack: StackReference): Promise<StackFiles> {
  const files = await readStackFiles(stack);
  const { name } = files.project;
  if (name !== stack.project) {
    throw new SlipwayError("E_CONFIG_INVALID", `Pulumi.yaml is of the project ${name}, not ${stack.project}`);
  }
  await assertKnown(files);
  return files;
}

/** Throws SlipwayError E_STACK_UNKNOWN where a stack has neither a file nor state. */
export async function assertKnown({ stack, project, file, paths }: StackFiles): Promise<void> {
  if (file.exists || (await hasState(paths))) return;
  const known = await stacksWithFile(project);
  throw new SlipwayError("E_STACK_UNKNOWN", `there is no stack ${stack}: neither ${file.path} nor state`, {
    hint: `Make it with \`slipway init ${stack}\`, or choose one of: ${known.join(", ") || "none yet"}.`,
  });
}

/** Reads the state with its secrets still sealed; undefined where there is none. Throws SlipwayError E_STATE_DAMAGED, E_UNSUPPORTED. */
export async function readState({ paths }: Pick<StackFiles, "paths">): Promise<CheckpointJson | undefined> {
  const found = await readCheckpoint(paths);
  if (found === undefined) return undefined;
  const json = parseCheckpoint(found.file, found.text);
  refuseForeign(found.file, json, paths.name);
  return json;
}

/**
 * A file that was copied from another stack would have this one's resources made and the other's deleted. Single resources of another
 * stack are let through: an import may have been forced, or a program may have taken them over by aliases.
 */
function refuseForeign(path: string, json: CheckpointJson, name: string): void {
  const [, project, stack] = name.split("/");
  const owners = (json.checkpoint.latest?.resources ?? []).map(({ urn }) => `${stackOfUrn(urn)}::${projectOfUrn(urn)}`);
  if (owners.length === 0 || owners.includes(`${stack}::${project}`)) return;
  throw damaged(path, `it holds the resources of another stack, ${owners[0]}`);
}

/** The salt that a state's secrets are sealed with. */
export function saltOf(json: CheckpointJson | undefined): string | undefined {
  return json?.checkpoint.latest?.secrets_providers?.state?.salt;
}

/** The key of the state. A new state takes the stack file's salt, or makes its own: a run never writes to the stack file. */
export function openVault(stack: StackReference, file: StackFile, json: CheckpointJson | undefined): Promise<Vault> {
  return Vault.open(stack.passphrase, saltOf(json) ?? file.encryptionSalt);
}

/** The configuration; its secrets may be sealed with another salt than the state's. */
export async function openConfiguration(stack: StackReference, files: StackFiles): Promise<StackConfiguration> {
  const { project, file } = files;
  const sealed = holdsSecrets(file.config) && file.encryptionSalt !== undefined;
  const vault = sealed ? await Vault.open(stack.passphrase, file.encryptionSalt) : undefined;
  return resolveConfiguration(project, file, vault, stack.configOverrides);
}

/** Opens the state and checks that it can be worked with. Throws SlipwayError E_STATE_DAMAGED. */
export function openState(paths: StackPaths, json: CheckpointJson | undefined, vault: Vault): StoredDeployment {
  const stored = openDeployment(json, vault);
  const problem = integrityProblem(stored.resources);
  if (problem !== undefined) throw damaged(paths.checkpoint, problem);
  return stored;
}
