import yargs, { type CommandModule } from "yargs";
import { hideBin } from "yargs/helpers";
import { SlipwayError } from "../common/errors.ts";
import { type GlobalOptions, globalOptions } from "./options.ts";
import { Reporter } from "./ui/reporter.ts";
import type { Entry, Verb } from "./verb.ts";

const entries: Entry[] = [
  {
    command: "quickstart",
    describe: "from nothing to a served prediction on the embedded cloud",
    load: () => import("./verbs/quickstart.ts"),
  },
  {
    command: "init [stack]",
    describe: "write a stack's file from what the cloud offers, asking on a terminal",
    load: () => import("./verbs/init.ts"),
  },
  {
    command: "up [stack] [others..]",
    describe: "create or change a stack until its endpoint serves the model",
    load: () => import("./verbs/up.ts"),
  },
  {
    command: "deploy [stack]",
    describe: "release a model to a stack that serves, through its gate and without a lost request",
    load: () => import("./verbs/deploy.ts"),
  },
  {
    command: "rollback [stack] [release]",
    describe: "release again what a stack served before",
    load: () => import("./verbs/rollback.ts"),
  },
  {
    command: "promote [stack]",
    describe: "release what another stack serves (--from), or let the model on trial take over",
    load: () => import("./verbs/promote.ts"),
  },
  {
    command: "abort [stack]",
    describe: "end the trial; the model that serves stays",
    load: () => import("./verbs/abort.ts"),
  },
  {
    command: "scale [first] [second] [third]",
    describe: "run another number of workers or runtimes on a stack's hosts: `scale production worker=3`",
    load: () => import("./verbs/scale.ts"),
  },
  {
    command: "releases [what] [from] [to]",
    describe: "a stack's releases: who, when, what, how it ended; `diff A B`: what differs between two",
    load: () => import("./verbs/releases.ts"),
  },
  {
    command: "lock <action> [stack]",
    describe: "who works on a stack: status, release",
    load: () => import("./verbs/lock.ts"),
  },
  {
    command: "preview [stack]",
    describe: "show what `up` would change, without changing it",
    load: () => import("./verbs/preview.ts"),
  },
  {
    command: "attach [stack]",
    describe: "after `pulumi up`: wait for the host's verdict, then make the stack's address lead to it",
    load: () => import("./verbs/attach.ts"),
  },
  {
    command: "detach [stack]",
    describe: "take the address off a stack's host; the stack keeps it",
    load: () => import("./verbs/detach.ts"),
  },
  {
    command: "render [stack]",
    describe: "show the user-data of each host, with its size and checks; needs no cloud",
    load: () => import("./verbs/render.ts"),
  },
  {
    command: "status [stack] [others..]",
    describe: "show a stack's hosts, address, model and release",
    load: () => import("./verbs/status.ts"),
  },
  {
    command: "check [stack]",
    describe: "ask the endpoint for life, readiness and a real prediction by the expected model",
    load: () => import("./verbs/check.ts"),
  },
  {
    command: "logs [stack]",
    describe: "show what a host did: its journal, or its console log",
    load: () => import("./verbs/logs.ts"),
  },
  {
    command: "train",
    describe: "train a model on rows of a table, here or on a host, and judge it by its gate",
    load: () => import("./verbs/train.ts"),
  },
  {
    command: "payload <action> [stack]",
    describe: "push: publish payload and model without making anything, for a `pulumi up` by hand",
    load: () => import("./verbs/payload.ts"),
  },
  {
    command: "ssh [stack]",
    describe: "log in to a stack's host, or run the command after `--` there",
    load: () => import("./verbs/ssh.ts"),
  },
  {
    command: "refresh [stack]",
    describe: "bring a stack's state to what the cloud says, without changing a resource",
    load: () => import("./verbs/refresh.ts"),
  },
  {
    command: "import <type> <name> <id>",
    describe: "take an object of the cloud into a stack's state, and print its declaration for the program",
    load: () => import("./verbs/import.ts"),
  },
  {
    command: "stack <action> [name]",
    describe: "a stack's state: export, import, rename, rm, ls, cancel",
    load: () => import("./verbs/stack.ts"),
  },
  {
    command: "home <action>",
    describe: "what CI and others need of this project's stacks, sealed: save, restore",
    load: () => import("./verbs/home.ts"),
  },
  {
    command: "config [action] [key] [value]",
    describe: "a stack's configuration: get, set, rm, or all of it",
    load: () => import("./verbs/config.ts"),
  },
  {
    command: "token <action> [name]",
    describe: "who may ask a stack's hosts: ls; show or renew the token of one",
    load: () => import("./verbs/token.ts"),
  },
  {
    command: "down [stack] [others..]",
    describe: "remove a stack and prove that nothing is left",
    load: () => import("./verbs/down.ts"),
  },
  {
    command: "cloud <action> [what]",
    describe: "the embedded OpenStack: start, stop, reset, snapshot, restore, log, shell, doctor, arm and others",
    load: () => import("./verbs/cloud.ts"),
  },
  {
    command: "provider <action> [folder]",
    describe: "our OpenStack provider as a plugin of Pulumi's own engine: serve, install",
    load: () => import("./verbs/provider.ts"),
  },
  {
    command: "completion [shell]",
    describe: "print what bash, zsh or fish needs to complete verbs, options, stacks and clouds",
    load: async () => ({ verb: (await import("./verbs/completion.ts")).completionOf(entries) }),
  },
];

/** yargs awaits a builder that is async, but its types do not say so for modules. */
function commandOf({ command, describe, load }: Entry): CommandModule<object, GlobalOptions> {
  return {
    command,
    describe,
    builder: async (parser: Parameters<Verb["builder"]>[0]) => (await load()).verb.builder(parser),
    handler: async (args: Parameters<Verb["handler"]>[0]) => (await load()).verb.handler(args),
  } as unknown as CommandModule<object, GlobalOptions>;
}

function notUnderstood(message: string): SlipwayError {
  const verb = entries.map(({ command }) => command.split(" ")[0]).find((name) => argv.includes(String(name)));
  const help = ["slipway", verb, "--help"].filter((word) => word !== undefined).join(" ");
  // yargs' own words for a missing positional are about numbers of them
  const what = message.startsWith("Not enough non-option arguments") ? "an argument is missing" : message;
  return new SlipwayError("E_USAGE", what.replace(/\s*\n\s*/g, " "), {
    hint: `Run \`${help}\`: it lists what there is.`,
  });
}

const argv = hideBin(process.argv);
const parser = yargs(argv)
  .scriptName("slipway")
  .usage("$0 <verb> [stack] [options]")
  .options(globalOptions)
  .command(entries.map(commandOf))
  .parserConfiguration({ "duplicate-arguments-array": false, "populate--": true })
  .strictCommands()
  .strict()
  .demandCommand(1, "which verb?")
  .recommendCommands()
  .help()
  .version(false)
  .wrap(Math.min(120, process.stdout.columns ?? 120))
  .exitProcess(false)
  .fail((message, error) => {
    // yargs has words of its own for what is wrong with the command line, and none for what a verb throws
    throw message ? notUnderstood(message) : error;
  });

/** What stands after `--` is somebody else's. */
const own = argv.slice(0, argv.includes("--") ? argv.indexOf("--") : argv.length);
const flags = { json: own.includes("--json"), quiet: own.includes("--quiet"), verbose: own.includes("--verbose") };
function fail(error: unknown): void {
  new Reporter(flags).failure(error);
  process.exitCode = error instanceof SlipwayError ? error.exitCode : 1;
}

// What nobody awaited ends the process as well as what was: the last line is the result in any case.
process.on("uncaughtException", (error) => {
  fail(error);
  process.exit();
});
try {
  await parser.parseAsync();
} catch (error) {
  // what it finds after it has loaded a verb it throws itself
  fail(error instanceof Error && error.name === "YError" ? notUnderstood(error.message) : error);
}
