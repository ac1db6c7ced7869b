import { basename } from "node:path";
import { SlipwayError } from "../../common/errors.ts";
import { bashCompletion } from "../completion/bash.ts";
import { type CommandLine, commandLineOf } from "../completion/command-line.ts";
import { fishCompletion } from "../completion/fish.ts";
import { zshCompletion } from "../completion/zsh.ts";
import { verb as declare, type Entry, type Verb } from "../verb.ts";

const shells: Record<string, (commandLine: CommandLine) => string> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** The verb that prints a completion of these verbs. */
export function completionOf(entries: readonly Entry[]): Verb {
  return declare({
    options: {},
    words: { shell: Object.keys(shells) },
    run: async ({ args, reporter }) => {
      const shell = String((args as { shell?: unknown }).shell ?? basename(process.env.SHELL ?? ""));
      const found = Object.entries(shells).find(([name]) => name === shell);
      if (found === undefined) {
        throw new SlipwayError(
          "E_USAGE",
          `there is no completion for ${shell === "" ? "a shell without a name" : shell}`,
          {
            hint: `Choose one of ${Object.keys(shells).join(", ")}.`,
          },
        );
      }
      const script = found[1](await commandLineOf(entries));
      reporter.result({ ok: true, shell, script }, script.trimEnd());
    },
  });
}
