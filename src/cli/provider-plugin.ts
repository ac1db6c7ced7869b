import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { writeFileAtomic } from "../common/files.ts";
import { slipwayHome } from "../common/home.ts";
import { quoteForShell } from "../contextualization/helpers.ts";
import { binaryName, cacheFolder, pluginCache } from "../engine/plugins/find-plugin.ts";
import { type PluginService, servePlugin } from "../engine/plugins/plugin-service.ts";
import { createOpenStackProvider } from "../provider/provider.ts";
import { openstackPackage, openstackVersion, secretConfiguration } from "../provider/serve/identity.ts";
import { packageSchema } from "../provider/serve/schema.ts";
import { embeddedCloudsFile, findProjectRoot } from "./workspace.ts";

/** How often a served provider looks whether its engine is still there, milliseconds. */
const watchMs = 1000;

/** Serves the OpenStack provider; started in a project's folder it also knows that project's embedded cloud. */
export async function serveOpenStackProvider(folder: string): Promise<PluginService> {
  const root = await findProjectRoot(folder).catch(() => undefined);
  const extraCloudsFiles = root === undefined ? [] : [embeddedCloudsFile(slipwayHome(root))];
  return servePlugin({
    packageName: openstackPackage,
    version: openstackVersion,
    secretVariables: secretConfiguration,
    schema: () => packageSchema(openstackVersion),
    provider: createOpenStackProvider({ extraCloudsFiles, cwd: folder }),
  });
}

/** Resolves when the process that started this one is gone: an engine that was killed takes no plugin along. */
export async function parentGone(parent: number, signal: AbortSignal): Promise<void> {
  while (process.ppid === parent && !signal.aborted) {
    await sleep(watchMs, undefined, { signal }).catch(() => undefined); // ended meanwhile: looked at above
  }
}

/**
 * Writes a program of the name that engines look for, which starts this installation's provider.
 * @param folder where to; Pulumi's plugin cache unless told otherwise
 * @returns the program's path
 */
export async function installLauncher(folder: string | undefined, env: NodeJS.ProcessEnv): Promise<string> {
  const target = folder ?? join(pluginCache(env), cacheFolder(openstackPackage, openstackVersion));
  const path = join(target, binaryName(openstackPackage));
  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  const command = [process.execPath, main, "provider", "serve"].map(quoteForShell).join(" ");
  await writeFileAtomic(path, `#!/bin/sh\n# written by \`slipway provider install\`\nexec ${command} -- "$@"\n`, 0o755);
  await chmod(path, 0o755); // whatever the umask
  return path;
}
