import { loadProject } from "../../../src/engine/embedded/project/project.ts";
import { startPluginHost } from "../../../src/engine/plugins/plugin-host.ts";

// Starts a plugin and waits to be killed.
const [, , root = ""] = process.argv;
const host = await startPluginHost({
  project: await loadProject(root),
  configuration: {},
  nodePath: process.execPath,
  env: {},
  signal: new AbortController().signal,
  tell: () => undefined,
});
await host.open("pulumi-nodejs", "");
process.stdout.write("open\n");
setInterval(() => undefined, 1000);
