import { once } from "node:events";
import { resolve } from "node:path";
import { chosenAction } from "../action.ts";
import { installLauncher, parentGone, serveOpenStackProvider } from "../provider-plugin.ts";
import { type Call, verb as declare } from "../verb.ts";

const options = {} as const;

/** What `slipway provider` can do. */
const actions: Record<string, (call: Call<typeof options>) => Promise<void>> = { serve, install };

export const verb = declare({
  options,
  words: { action: Object.keys(actions) },
  texts: {
    action: `one of ${Object.keys(actions).join(", ")}`,
    folder: "where `install` puts the plugin; Pulumi's plugin cache unless given",
  },
  run: async (call) => {
    await chosenAction(actions, (call.args as { action?: unknown }).action)(call);
  },
});

/** What an engine starts: prints the port and nothing else, and serves until it is ended or the engine is gone. */
async function serve({ signal }: Call<typeof options>): Promise<void> {
  const parent = process.ppid; // before the engine knows the port: it may be gone right after
  const service = await serveOpenStackProvider(process.cwd());
  process.stdout.write(`${service.port}\n`);
  const ended = signal.aborted ? Promise.resolve() : once(signal, "abort");
  await Promise.race([ended, parentGone(parent, signal)]);
  service.close();
}

async function install({ args, reporter }: Call<typeof options>): Promise<void> {
  const { folder } = args as { folder?: string };
  const path = await installLauncher(folder === undefined ? undefined : resolve(folder), process.env);
  reporter.result({ ok: true, path }, `${path} serves this installation's OpenStack provider`);
}
