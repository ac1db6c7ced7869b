import { dirname, join, parse, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { SlipwayError } from "../common/errors.ts";
import { readTextIfExists } from "../common/files.ts";
import { slipwayHome, stackHome } from "../common/home.ts";
import { loadStackConfig, type StackConfig } from "../components/config.ts";
import { assertKnown, openConfiguration, readStackFiles } from "../engine/embedded/operations/stack-files.ts";
import { namespaceOf } from "../engine/embedded/project/configuration.ts";
import type { Engine, StackReference } from "../engine/engine.ts";
import { findCredentials } from "../openstack/clouds.ts";
import type { Credentials } from "../openstack/credentials.ts";
import { environmentName } from "../openstack/environment.ts";
import { openSession, type Session } from "../openstack/session.ts";
import { assertOwnCloud, bindStack, readStackRecord, type StackRecord } from "../release/stack-record.ts";
import { chooseEngine, type EngineChoice, engineOf } from "./engine-choice.ts";
import { withEventLog } from "./event-log.ts";
import { withKeptImage } from "./kept-image.ts";
import { findPassphrase } from "./passphrase.ts";

/** The stack of a verb that names none. */
export const DEFAULT_STACK = "production";

/** What is known of a stack without its cloud: its configuration and its folders. */
export interface LocalStack {
  projectRoot: string;
  /** The project's name in Pulumi.yaml. */
  project: string;
  stack: string;
  /** `.slipway` */
  home: string;
  /** `.slipway/stacks/<stack>` */
  stackHome: string;
  config: StackConfig;
}

/** One stack, opened: with the engine that runs its program and the cloud that it lives in. */
export interface Workspace extends LocalStack {
  engine: Engine;
  /** Why this engine. */
  engineChoice: EngineChoice;
  reference: StackReference;
  session: Session;
  /** Name of the cloud's entry in clouds.yaml; undefined with OS_* variables. */
  cloud: string | undefined;
}

/** Where the embedded cloud's credentials are; asked after the user's own files. */
export function embeddedCloudsFile(home: string): string {
  return join(home, "clouds.yaml");
}

/** Where the state of all stacks lies: PULUMI_BACKEND_URL, else a folder in the Slipway home. */
export function backendUrl(home: string): string {
  return process.env.PULUMI_BACKEND_URL ?? pathToFileURL(join(home, "state")).href;
}

/**
 * Reads a stack's configuration.
 * @throws SlipwayError E_STACK_UNKNOWN, E_CONFIG_INVALID
 */
export async function openLocalStack(stack?: string): Promise<LocalStack> {
  return (await readStack(stack)).local;
}

async function readStack(stack: string = DEFAULT_STACK) {
  const projectRoot = await findProjectRoot(process.cwd());
  const home = slipwayHome(projectRoot);
  const files = await readStackFiles({ projectRoot, stack, backendUrl: backendUrl(home) });
  await assertKnown(files);
  const project = files.project.name;
  const config = loadStackConfig(project, files.file.config);
  const local: LocalStack = { projectRoot, project, stack, home, stackHome: stackHome(projectRoot, stack), config };
  return { local, files };
}

/**
 * Opens a stack: reads its configuration and credentials, sends nothing.
 * @throws SlipwayError E_STACK_UNKNOWN, E_CONFIG_INVALID, E_PASSPHRASE_WRONG, E_CREDENTIALS_MISSING, E_ENGINE_MISSING, E_USAGE (the event log)
 */
export async function openWorkspace(args: {
  stack?: string | undefined;
  osCloud?: string | undefined;
  eventLog?: string | undefined;
  engine?: Engine["kind"] | "auto" | undefined;
}): Promise<Workspace> {
  const { local, files } = await readStack(args.stack);
  const { projectRoot, project, stack, home } = local;
  const place = { projectRoot, project, stack, backendUrl: backendUrl(home) };
  const reference = { ...place, passphrase: await findPassphrase(home) };
  const credentials = await findCredentials({
    ...(args.osCloud === undefined ? {} : { cloud: args.osCloud }),
    variables: namespaceOf(await openConfiguration(reference, files), "openstack").values,
    extraFiles: [embeddedCloudsFile(home)],
  });
  const { cloud } = credentials;
  const engineChoice = await chooseEngine(args.engine ?? "auto", (await readStackRecord(local.stackHome))?.engine);
  const engine = engineOf(engineChoice.kind, [embeddedCloudsFile(home)]);
  return {
    ...local,
    engine: withEventLog(withKeptImage(engine, local.config, local.stackHome), args.eventLog),
    engineChoice,
    reference: { ...reference, ...cloudSettings(engine.kind, credentials) },
    session: openSession(credentials),
    cloud,
  };
}

/** How a program's provider finds the same cloud as the verbs do. The official one looks for clouds.yaml in fewer places, and knows no `envvars`. */
function cloudSettings(engine: Engine["kind"], { cloud, cloudsFile }: Credentials): Partial<StackReference> {
  if (cloud === undefined) return {};
  if (engine === "embedded") return { configOverrides: { "openstack:cloud": cloud } };
  return {
    configOverrides: { "openstack:cloud": cloud === environmentName(process.env) ? "" : cloud },
    ...(cloudsFile === undefined ? {} : { env: { OS_CLIENT_CONFIG_FILE: cloudsFile } }),
  };
}

/**
 * Logs in and shows that the state can be worked with, before anything is touched; ties the stack to this cloud.
 * @throws SlipwayError E_AUTH_FAILED, E_CLOUD_UNREACHABLE, E_CLOUD_MISMATCH, E_STATE_DAMAGED, E_PASSPHRASE_WRONG
 */
export async function bindToCloud(workspace: Workspace): Promise<void> {
  const { engine, reference, stackHome } = workspace;
  const [cloud] = await Promise.all([cloudOf(workspace), engine.verify(reference)]);
  await bindStack(stackHome, { cloud, engine: engine.kind });
}

/**
 * Logs in, for verbs that only look.
 * @throws SlipwayError E_AUTH_FAILED, E_CLOUD_UNREACHABLE; E_CLOUD_MISMATCH for another cloud than the stack's own
 */
export async function requireOwnCloud(workspace: Workspace): Promise<void> {
  await assertOwnCloud(workspace.stackHome, await cloudOf(workspace));
}

async function cloudOf({ session }: Workspace): Promise<StackRecord["cloud"]> {
  return { authUrl: session.authUrl, projectId: await session.projectId() };
}

/** The folder of the nearest Pulumi.yaml, upwards from `start`. */
export async function findProjectRoot(start: string): Promise<string> {
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    if ((await readTextIfExists(join(folder, "Pulumi.yaml"))) !== undefined) return folder;
    if (folder === parse(folder).root) {
      throw new SlipwayError("E_CONFIG_INVALID", `there is no Pulumi.yaml in ${start} or above it`, {
        hint: "Run the command in a project's folder.",
      });
    }
  }
}
