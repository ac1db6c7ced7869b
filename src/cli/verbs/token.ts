import { chosenAction } from "../action.ts";
import { tokenActions } from "../token-actions.ts";
import { verb as declare } from "../verb.ts";

/** The tokens by which a stack's hosts recognize callers. What is printed is the token alone, for scripts. */
export const verb = declare({
  options: {},
  words: { action: Object.keys(tokenActions) },
  texts: { action: `one of ${Object.keys(tokenActions).join(", ")}`, name: "the token's name in the configuration" },
  run: async ({ args, reporter }) => {
    const { action: wanted, name, stack } = args as { action?: unknown; name?: string; stack?: string };
    const { object, text } = await chosenAction(tokenActions, wanted)({ name, stack });
    reporter.result({ ok: true, ...object }, text);
  },
});
