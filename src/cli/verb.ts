import type { ArgumentsCamelCase, CommandModule, InferredOptionTypes, Options } from "yargs";
import type { GlobalOptions } from "./options.ts";
import { Reporter } from "./ui/reporter.ts";

/** What a verb's handler gets: its arguments, and where to report. */
export interface Call<O extends Record<string, Options>> {
  args: ArgumentsCamelCase<GlobalOptions & InferredOptionTypes<O>>;
  reporter: Reporter;
  /** Aborted by the first Ctrl-C or SIGTERM; a second one ends the process at once. */
  signal: AbortSignal;
}

/** Declares a verb for the command line. */
export function verb<const O extends Record<string, Options>>(declaration: {
  /** yargs' form, e.g. `up [stack]`. */
  command: string;
  describe: string;
  options: O;
  run: (call: Call<O>) => Promise<void>;
}): CommandModule<object, GlobalOptions> {
  const { command, describe, options, run } = declaration;
  return {
    command,
    describe,
    builder: (parser) => parser.options(options),
    handler: async (args) => {
      const { json, quiet, verbose } = args;
      await run({
        args: args as Call<O>["args"],
        reporter: new Reporter({ json, quiet, verbose }),
        signal: interruption(),
      });
    },
  } as CommandModule<object, GlobalOptions>;
}

function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(130);
      process.stderr.write("\nslipway: interrupted; finishing what is in flight (once more ends at once)\n");
      controller.abort();
    });
  }
  return controller.signal;
}
