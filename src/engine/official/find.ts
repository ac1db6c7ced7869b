import { delimiter, dirname, join } from "node:path";
import { SlipwayError } from "../../common/errors.ts";
import { isExecutable } from "../../common/files.ts";
import { binaryName, cachedVersions, pluginCache } from "../plugins/find-plugin.ts";

/** A resource plugin that the programs need. */
export interface RequiredPlugin {
  /** `openstack` */
  name: string;
  /** The version of its SDK, `3.15.2`: what a user is told to install. */
  version: string;
}

/** What of the official engine is on this machine. */
export interface Installation {
  /** The `pulumi` executable. */
  cli: string | undefined;
  /** What is missing, in words; empty where everything is there. */
  missing: string[];
  /** What to do about it. */
  advice: string | undefined;
}

/** Looks for the CLI, its language host for Node and the plugins, in the places where the CLI itself looks; starts nothing. */
export async function findInstallation(
  plugins: readonly RequiredPlugin[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Installation> {
  const cli = await findExecutable("pulumi", [...searchPath(env), join(dirname(pluginCache(env)), "bin")]);
  if (cli === undefined) {
    return {
      cli,
      missing: ["`pulumi` is neither on PATH nor in ~/.pulumi/bin"],
      advice: "Install the Pulumi CLI (https://www.pulumi.com/docs/install)",
    };
  }
  const beside = [dirname(cli), ...searchPath(env)];
  if ((await findExecutable("pulumi-language-nodejs", beside)) === undefined) {
    return {
      cli,
      missing: [`pulumi-language-nodejs is neither beside ${cli} nor on PATH`],
      advice: "Unpack the whole archive of the Pulumi CLI, its language hosts are in it",
    };
  }
  const found = await Promise.all(plugins.map(({ name }) => hasPlugin(name, beside, env)));
  const absent = plugins.filter((_, index) => !found[index]);
  return {
    cli,
    missing: absent.map(({ name }) => `the plugin ${binaryName(name)} is neither installed nor on PATH`),
    advice:
      absent.length === 0
        ? undefined
        : `Run ${absent.map(({ name, version }) => `\`pulumi plugin install resource ${name} ${version}\``).join(" and ")}`,
  };
}

/** The CLI's path. Throws SlipwayError E_ENGINE_MISSING that says what is missing and how to get it. */
export async function requireInstallation(plugins: readonly RequiredPlugin[]): Promise<string> {
  const { cli, missing, advice } = await findInstallation(plugins);
  if (cli !== undefined && missing.length === 0) return cli;
  throw new SlipwayError("E_ENGINE_MISSING", `the official engine cannot run here: ${missing.join("; ")}`, {
    details: advice === undefined ? [] : [advice],
    hint: "Install it, or use `--engine embedded`: both engines work on the same state.",
  });
}

function searchPath(env: NodeJS.ProcessEnv): string[] {
  return (env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
}

/** Any version: which one it takes is the CLI's to choose, and a program says which one it wants. */
async function hasPlugin(name: string, folders: readonly string[], env: NodeJS.ProcessEnv): Promise<boolean> {
  const cached = await cachedVersions(env, name);
  return cached.length > 0 || (await findExecutable(binaryName(name), folders)) !== undefined;
}

async function findExecutable(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, name);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}
