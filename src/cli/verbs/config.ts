import { chosenAction } from "../action.ts";
import { configActions, listConfig } from "../config-actions.ts";
import { verb as declare } from "../verb.ts";

export const verb = declare({
  options: {
    secret: {
      type: "boolean",
      default: false,
      describe: "`set` seals the value, which comes from a prompt or from standard input",
    },
    plaintext: { type: "boolean", default: false, describe: "`set` a key in clear text that is named like a secret" },
    path: { type: "boolean", default: false, describe: "the key is a path into a structure: name.inner[0]" },
    "show-secrets": { type: "boolean", default: false, describe: "show secrets in clear text, without an action" },
  },
  words: { action: Object.keys(configActions) },
  texts: {
    action: `one of ${Object.keys(configActions).join(", ")}; none shows all of the configuration`,
    key: "the key, without a namespace one of the project's",
    value: "its new value; asked for, or read from standard input, unless given",
  },
  run: async ({ args, reporter, signal }) => {
    const { action: wanted, key, value } = args as { action?: string; key?: string; value?: string };
    const action =
      wanted === undefined ? listConfig : chosenAction(configActions, wanted, ", or none for all of the configuration");
    const { stack, path, secret, plaintext, showSecrets } = args as typeof args & { showSecrets: boolean };
    const given = { stack, key, value: afterDashes() ?? value, path, secret, plaintext, showSecrets };
    const { object, text } = await action(given, signal);
    reporter.result({ ok: true, ...object }, text);
  },
});

/** A value that begins with a dash stands after `--`; yargs would make a number of one that looks like it. */
function afterDashes(): string | undefined {
  const at = process.argv.indexOf("--");
  return at < 0 ? undefined : process.argv[at + 1];
}
