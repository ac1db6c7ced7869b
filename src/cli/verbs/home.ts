import { chosenAction } from "../action.ts";
import { homeActions } from "../home-actions.ts";
import { verb as declare } from "../verb.ts";

export const verb = declare({
  options: {
    file: {
      type: "string",
      requiresArg: true,
      normalize: true,
      describe: "keep the bundle in this file, in place of the cloud's object store",
    },
    force: { type: "boolean", default: false, describe: "also over what somebody else has saved, or changed here" },
  },
  words: { action: Object.keys(homeActions) },
  texts: { action: `one of ${Object.keys(homeActions).join(", ")}` },
  run: async ({ args, reporter }) => {
    const { action, stack, osCloud, file, force } = args as typeof args & { action?: unknown };
    const { object, text } = await chosenAction(homeActions, action)({ stack, file, force, osCloud });
    reporter.result({ ok: true, ...object }, text);
  },
});
