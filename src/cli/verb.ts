import type { ArgumentsCamelCase, Argv, InferredOptionTypes, Options } from "yargs";
import { SlipwayError } from "../common/errors.ts";
import { OpenStackError, refusedByCloud } from "../openstack/errors.ts";
import { interruption } from "./interruption.ts";
import { type GlobalOptions, globalOptions } from "./options.ts";
import { readerGone } from "./ui/reader-gone.ts";
import { Reporter } from "./ui/reporter.ts";

/** What a verb's handler gets: its arguments, and where to report. */
export interface Call<O extends Record<string, Options>> {
  args: ArgumentsCamelCase<GlobalOptions & InferredOptionTypes<O>>;
  reporter: Reporter;
  /** Aborted by the first Ctrl-C or SIGTERM; a second one ends the process at once. */
  signal: AbortSignal;
  /** Aborted when nobody reads what is printed: only a verb that prints without end need look at it. */
  readerGone: AbortSignal;
}

/** What a positional argument may be: one of some words, or a stack's name. */
type Words = readonly string[] | "stacks";

/** A verb as the command line calls it. */
export interface Verb {
  /** Its own options. */
  options: Record<string, Options>;
  /** What a positional argument may be, by its name in the command. */
  words: Record<string, Words>;
  builder: (parser: Argv<GlobalOptions>) => Argv<GlobalOptions>;
  handler: (args: ArgumentsCamelCase<GlobalOptions>) => Promise<void>;
}

/** A verb as it stands on the command line; its code is loaded only when it is called. */
export interface Entry {
  /** yargs' form, e.g. `up [stack]`. */
  command: string;
  describe: string;
  load: () => Promise<{ verb: Verb }>;
}

const none: Record<string, string> = {};

/** Declares a verb: its own options, what its positional arguments may be (where that is known), and what it does. */
export function verb<const O extends Record<string, Options>>(declaration: {
  options: O;
  words?: Record<string, Words>;
  /** Positional arguments that are text whatever they look like, with what they are. */
  texts?: Record<string, string>;
  /** Positional arguments of which there may be any number, with what they are. */
  lists?: Record<string, string>;
  run: (call: Call<O>) => Promise<void>;
}): Verb {
  const { options, words = {}, texts = {}, lists = none, run } = declaration;
  const numbers = Object.keys(options).filter((name) => options[name]?.type === "number");
  return {
    options,
    words,
    builder: (parser) => {
      const built = parser.options(options) as unknown as Argv<GlobalOptions>;
      for (const [name, describe] of Object.entries(texts)) built.positional(name, { type: "string", describe });
      for (const [name, describe] of Object.entries(lists)) {
        // yargs keeps the last one alone unless every argument may come twice
        built.parserConfiguration({ "populate--": true }).positional(name, { type: "string", array: true, describe });
      }
      return built;
    },
    handler: async (given) => {
      const args = lists === none ? given : lastOfEach(given, { ...globalOptions, ...options });
      for (const name of numbers) requireNumber(name, args[name]);
      const { json, quiet, verbose } = args;
      const signal = interruption();
      const reporter = new Reporter({ json, quiet, verbose });
      try {
        await run({ args: args as Call<O>["args"], reporter, signal, readerGone: readerGone() });
      } catch (error) {
        throw toldError(error, signal);
      }
    },
  };
}

/** Options that were given several times and take one value have the last. */
function lastOfEach<T extends Record<string, unknown>>(args: T, options: Record<string, Options>): T {
  const single = ([name]: [string, unknown]) => {
    const option = options[name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)];
    return option !== undefined && option.array !== true;
  };
  const entries = Object.entries(args).map((entry) => {
    const [name, value] = entry;
    return [name, Array.isArray(value) && single(entry) ? value.at(-1) : value];
  });
  return Object.fromEntries(entries) as T;
}

/** A failure as a user is told of it: an interruption as such, a cloud's refusal with its code. */
export function toldError(error: unknown, signal: AbortSignal): unknown {
  // a wait that was cut short says only that it was aborted; why is the signal's to say
  if (signal.aborted && error instanceof Error && error.name === "AbortError") return signal.reason;
  return error instanceof OpenStackError ? refusedByCloud(error) : error;
}

/** yargs makes NaN of a text that is no number. */
function requireNumber(name: string, value: unknown): void {
  if (value === undefined || (typeof value === "number" && value >= 0)) return;
  throw new SlipwayError("E_USAGE", `--${name} needs a number that is not negative`, {
    hint: `Write it like --${name} 10.`,
  });
}
