import { chosenAction } from "../action.ts";
import { lockActions } from "../lock-actions.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace } from "../workspace.ts";

export const verb = declare({
  words: { action: Object.keys(lockActions) },
  options: {
    force: { type: "boolean", default: false, describe: "`release` the lock of a holder who still lives" },
  },
  run: async ({ args, reporter, signal }) => {
    const action = chosenAction(lockActions, (args as { action?: unknown }).action);
    const { force, yes } = args;
    const { object, text } = await action(await openWorkspace(args), { force, yes, signal });
    reporter.result({ ok: true, ...object }, text);
  },
});
