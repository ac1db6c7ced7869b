import type { Options } from "yargs";
import { globalOptions } from "../options.ts";
import type { Entry } from "../verb.ts";

/** What may stand in a place: some words, names that a look-up finds, files, or what cannot be foretold. */
export type Values = readonly string[] | "stacks" | "clouds" | "files" | "anything";

/** An option by its long name, with its dashes. */
export interface CompletedOption {
  name: string;
  describe: string;
  /** Undefined for an option that takes no value. */
  values: Values | undefined;
}

/** A verb with what may follow it. */
interface CompletedVerb {
  name: string;
  describe: string;
  /** In their order. */
  positionals: Values[];
  options: CompletedOption[];
}

/** The whole command line, as a shell's completion needs it. */
export interface CommandLine {
  verbs: CompletedVerb[];
  /** What every verb understands. */
  common: CompletedOption[];
}

/** Loads every verb, which takes a second: what is asked at each press of the TAB key must not. */
export async function commandLineOf(entries: readonly Entry[]): Promise<CommandLine> {
  const verbs = await Promise.all(
    entries.map(async ({ command, describe, load }) => {
      const { verb } = await load();
      const [name = "", ...positionals] = command.split(" ").map((word) => word.replace(/[<>[\].]/g, ""));
      const valuesOf = (one: string): Values => (one === "stack" ? "stacks" : (verb.words[one] ?? "anything"));
      return { name, describe, positionals: positionals.map(valuesOf), options: optionsOf(verb.options) };
    }),
  );
  const help = { type: "boolean", describe: "show help" } as const;
  return { verbs, common: optionsOf({ ...globalOptions, help }) };
}

function optionsOf(options: Record<string, Options>): CompletedOption[] {
  return Object.entries(options).map(([name, option]) => ({
    name: `--${name}`,
    describe: option.describe ?? "",
    values: valuesOf(name, option),
  }));
}

/** By the option's name; a model may be an address as well, which yargs must not make a path of. */
const lookUps: Record<string, Values> = { stack: "stacks", "os-cloud": "clouds", model: "files" };

/** What yargs makes a path of (`normalize`) is one. */
function valuesOf(name: string, { type, choices, normalize }: Options): Values | undefined {
  if (type === "boolean") return undefined;
  if (choices !== undefined) return choices.map(String);
  return lookUps[name] ?? (normalize === true ? "files" : "anything");
}
