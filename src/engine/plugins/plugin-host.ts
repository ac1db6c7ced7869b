import { dirname } from "node:path";
import type { Project } from "../embedded/project/project.ts";
import type { PluginHost } from "../embedded/providers/provider-source.ts";
import { dynamicPackage } from "../embedded/urn.ts";
import type { Severity } from "../events.ts";
import { startEngineServer } from "./engine-server.ts";
import { findPlugin } from "./find-plugin.ts";
import { OrphanGuard } from "./orphan-guard.ts";
import { PluginClient } from "./plugin-client.ts";
import { type PluginProcess, startPlugin } from "./plugin-process.ts";
import { PluginProvider } from "./plugin-provider.ts";

/** What plugins are started with. */
export interface PluginSetting {
  project: Project;
  /** The stack's whole configuration, `namespace:key` → text. */
  configuration: Record<string, string>;
  nodePath: string;
  /** Added to the plugins' environment. */
  env: Record<string, string>;
  /** Aborted when the user interrupts: plugins are asked to end what they do. */
  signal: AbortSignal;
  /** Takes what plugins log and print. */
  tell: (severity: Severity, message: string, urn: string) => void;
}

/** Starts what plugins need of the engine; each plugin when it is opened. */
export async function startPluginHost(setting: PluginSetting): Promise<PluginHost> {
  const { project, nodePath, signal, tell } = setting;
  const engine = await startEngineServer(tell);
  const guard = new OrphanGuard();
  const env = environmentOf(setting);
  const running = new Map<PluginProcess, PluginClient>();
  const cancelAll = () => Promise.all([...running.values()].map((client) => client.cancel()));
  signal.addEventListener("abort", cancelAll, { once: true });

  const end = async (process: PluginProcess, client: PluginClient) => {
    running.delete(process);
    await client.cancel();
    client.close();
    await process.stop();
  };

  return {
    async open(packageName, version) {
      const command = await findPlugin({ project, nodePath, env }, packageName, version);
      const cwd = project.programDirectory;
      const onOutput = (line: string) => tell("info", line, "");
      const process = await startPlugin({ command, engine: engine.address, cwd, env, guard, onOutput });
      const client = new PluginClient(process);
      running.set(process, client);
      if (signal.aborted) await client.cancel();
      const folder = packageName === dynamicPackage ? cwd : dirname(command.program);
      return new PluginProvider(packageName, client, { engine: engine.address, folder }, () => end(process, client));
    },
    async close() {
      signal.removeEventListener("abort", cancelAll);
      await Promise.all([...running].map(([process, client]) => end(process, client)));
      await guard.close();
      engine.close();
    },
  };
}

/** The passphrase stays with the engine; dynamic providers learn the project's name and the configuration as programs do. */
function environmentOf({ project, configuration, env }: PluginSetting): NodeJS.ProcessEnv {
  const { PULUMI_CONFIG_PASSPHRASE: _, PULUMI_CONFIG_PASSPHRASE_FILE: __, ...inherited } = process.env;
  return {
    ...inherited,
    ...env,
    PULUMI_CONFIG: JSON.stringify(configuration),
    PULUMI_PROJECT: project.name,
    PULUMI_NODEJS_PROJECT: project.name,
  };
}
