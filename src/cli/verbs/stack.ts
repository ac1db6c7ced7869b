import { chosenAction } from "../action.ts";
import { stackActions } from "../stack-actions.ts";
import { verb as declare } from "../verb.ts";

export const verb = declare({
  options: {
    file: {
      type: "string",
      requiresArg: true,
      normalize: true,
      describe: "where `export` writes to and `import` reads from, in place of standard output and input",
    },
    force: {
      type: "boolean",
      default: false,
      describe: "`rm` a stack that has resources, which are left behind; `import` what is refused",
    },
    "show-secrets": { type: "boolean", default: false, describe: "`export` and `output` secrets in clear text" },
    "preserve-config": { type: "boolean", default: false, describe: "`rm` leaves the stack's file" },
  },
  words: { action: Object.keys(stackActions), name: "stacks" },
  texts: {
    action: `one of ${Object.keys(stackActions).join(", ")}`,
    name: "the stack, production unless given; for `rename` its new name, for `output` the output",
  },
  run: async ({ args, reporter, signal }) => {
    const { action: wanted, name } = args as { action?: unknown; name?: string };
    const action = chosenAction(stackActions, wanted);
    const { stack, file, force, yes, showSecrets, preserveConfig } = args as typeof args & {
      showSecrets: boolean;
      preserveConfig: boolean;
    };
    const given = { name, stack, file, force, yes, showSecrets, preserveConfig, signal };
    const { object, text } = await action(given, (message) => reporter.note(`warning: ${message}`));
    reporter.result({ ok: true, ...object }, text);
  },
});
