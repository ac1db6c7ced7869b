import yargs, { type CommandModule } from "yargs";
import { hideBin } from "yargs/helpers";
import { SlipwayError } from "../common/errors.ts";
import { type GlobalOptions, globalOptions } from "./options.ts";
import { Reporter } from "./ui/reporter.ts";

/** The verbs; each is loaded only when it is called. */
const verbs: { name: string; describe: string; load: () => Promise<{ verb: CommandModule<object, GlobalOptions> }> }[] =
  [
    {
      name: "quickstart",
      describe: "from nothing to a served prediction on the embedded cloud",
      load: () => import("./verbs/quickstart.ts"),
    },
    {
      name: "up",
      describe: "create or change a stack until its endpoint serves the model",
      load: () => import("./verbs/up.ts"),
    },
    { name: "preview", describe: "show what `up` would change", load: () => import("./verbs/preview.ts") },
    {
      name: "status",
      describe: "show a stack's hosts, address, model and release",
      load: () => import("./verbs/status.ts"),
    },
    {
      name: "check",
      describe: "ask the endpoint for life, readiness and a real prediction",
      load: () => import("./verbs/check.ts"),
    },
    {
      name: "logs",
      describe: "show what a host did: its journal, or its console log",
      load: () => import("./verbs/logs.ts"),
    },
    { name: "down", describe: "remove a stack and prove that nothing is left", load: () => import("./verbs/down.ts") },
    {
      name: "cloud",
      describe: "the embedded OpenStack: start, stop, status, env, prepare, destroy",
      load: () => import("./verbs/cloud.ts"),
    },
  ];

const argv = hideBin(process.argv);
const wanted = argv.find((argument) => !argument.startsWith("-"));

const parser = yargs(argv)
  .scriptName("slipway")
  .usage("$0 <verb> [stack] [options]")
  .options(globalOptions)
  .strict()
  .demandCommand(1, "which verb?")
  .recommendCommands()
  .help()
  .version(false)
  .wrap(Math.min(120, process.stdout.columns ?? 120))
  .exitProcess(false)
  .fail((message, error) => {
    if (error) throw error;
    throw new SlipwayError("E_USAGE", message, {
      hint: `\`slipway ${wanted ?? ""} --help\` lists what there is`.replace("  ", " "),
    });
  });

const flags = { json: argv.includes("--json"), quiet: argv.includes("--quiet"), verbose: argv.includes("--verbose") };
try {
  for (const { name, describe, load } of verbs) {
    if (name === wanted) parser.command((await load()).verb);
    else parser.command(name, describe);
  }
  await parser.parseAsync();
} catch (error) {
  new Reporter(flags).failure(error);
  process.exitCode = error instanceof SlipwayError ? error.exitCode : 1;
}
