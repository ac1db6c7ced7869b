import { readdir, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join } from "node:path";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { isExecutable } from "../../common/files.ts";
import type { Project } from "../embedded/project/project.ts";
import { dynamicPackage } from "../embedded/urn.ts";

/** How a plugin is started. */
export interface PluginCommand {
  /** What to call it in messages: its package and version. */
  label: string;
  program: string;
  /** What comes before the engine's address. */
  arguments: string[];
}

/** What is looked through for plugins. */
export interface PluginPlaces {
  project: Pick<Project, "programDirectory" | "plugins">;
  /** The Node that runs the program. */
  nodePath: string;
  env: NodeJS.ProcessEnv;
}

/**
 * Finds a provider's plugin as Pulumi's engine does (pulumi/pulumi, sdk/go/common/workspace/plugins.go): where Pulumi.yaml says, on
 * PATH, in the plugin cache. Nothing is downloaded.
 * @throws SlipwayError E_PLUGIN
 */
export async function findPlugin(places: PluginPlaces, packageName: string, version: string): Promise<PluginCommand> {
  const label = `${packageName} ${version}`.trim();
  if (packageName === dynamicPackage) return { label, ...dynamicProvider(places) };
  const file = binaryName(packageName);
  const named = places.project.plugins.find(
    (plugin) => plugin.name === packageName && (version === "" || (plugin.version ?? version) === version),
  );
  if (named !== undefined) return { label, program: await namedBinary(named.path, file), arguments: [] };
  const program = (await onPath(places.env, file)) ?? (await inCache(places.env, packageName, version));
  if (program !== undefined) return { label, program, arguments: [] };
  throw await notFound(places, packageName, version);
}

/** The name of a package's plugin. */
export function binaryName(packageName: string): string {
  return `pulumi-resource-${packageName}`;
}

/** The folder that Pulumi keeps plugins in: `PULUMI_HOME`, else `.pulumi` in the user's home. */
export function pluginCache(env: NodeJS.ProcessEnv): string {
  return join(env.PULUMI_HOME || join(homedir(), ".pulumi"), "plugins");
}

/** The folder of one plugin within {@link pluginCache}. */
export function cacheFolder(packageName: string, version: string): string {
  return `resource-${packageName}-v${version}`;
}

/** Dynamic providers come with the program's own SDK. */
function dynamicProvider({ project, nodePath }: PluginPlaces): Omit<PluginCommand, "label"> {
  try {
    const resolve = createRequire(join(project.programDirectory, "index.js")).resolve;
    return { program: nodePath, arguments: [resolve("@pulumi/pulumi/cmd/dynamic-provider")] };
  } catch (cause) {
    throw new SlipwayError("E_PLUGIN", `the program's @pulumi/pulumi has no host for dynamic providers`, {
      cause,
      hint: "Install the program's packages.",
    });
  }
}

async function namedBinary(path: string, file: string): Promise<string> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const program = isFolder ? join(path, file) : path;
  if (await isExecutable(program)) return program;
  throw new SlipwayError("E_PLUGIN", `Pulumi.yaml names a plugin that is not there: ${program}`, {
    hint: "Correct `plugins.providers` in Pulumi.yaml: its `path` is the folder of an executable of that name.",
  });
}

async function onPath(env: NodeJS.ProcessEnv, file: string): Promise<string | undefined> {
  if (/^(1|true)$/i.test(env.PULUMI_IGNORE_AMBIENT_PLUGINS ?? "")) return undefined;
  for (const folder of (env.PATH ?? "").split(delimiter)) {
    if (isAbsolute(folder) && (await isExecutable(join(folder, file)))) return join(folder, file);
  }
  return undefined;
}

async function inCache(env: NodeJS.ProcessEnv, packageName: string, version: string): Promise<string | undefined> {
  const versions = version === "" ? (await cachedVersions(env, packageName)).slice(-1) : [version];
  for (const one of versions) {
    const program = join(pluginCache(env), cacheFolder(packageName, one), binaryName(packageName));
    if (await isExecutable(program)) return program;
  }
  return undefined;
}

/** A plugin's versions in the cache, the newest last. */
export async function cachedVersions(env: NodeJS.ProcessEnv, packageName: string): Promise<string[]> {
  const prefix = cacheFolder(packageName, "");
  const names = await readdir(pluginCache(env)).catch(() => []); // no cache: nothing in it
  return names
    .filter((name) => name.startsWith(prefix) && !name.endsWith(".lock") && !name.endsWith(".partial"))
    .map((name) => name.slice(prefix.length))
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

async function notFound({ env }: PluginPlaces, packageName: string, version: string): Promise<SlipwayError> {
  const cached = await cachedVersions(env, packageName);
  const wanted = `${packageName} ${version}`.trim();
  const install = `pulumi plugin install resource ${packageName} ${version && `v${version}`}`.trim();
  return new SlipwayError("E_PLUGIN", `there is no provider plugin for ${wanted}`, {
    hint: `Put ${binaryName(packageName)} on PATH, or run \`${install}\` where the official CLI can download.`,
    details: [
      `looked in Pulumi.yaml, on PATH and in ${pluginCache(env)}`,
      ...(cached.length === 0 ? [] : [`there are other versions: ${cached.join(", ")}`]),
    ],
  });
}

/** What a plugin that could not be started says. */
export function notStarted(label: string, program: string, reason: unknown, lastWords: string[]): SlipwayError {
  return new SlipwayError("E_PLUGIN", `the provider plugin for ${label} did not start: ${messageOf(reason)}`, {
    cause: reason,
    details: [program, ...lastWords],
    hint: "Start it by hand: it prints the port that it listens on, or says what it lacks.",
  });
}
