import { readFile } from "node:fs/promises";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { knownSpecs } from "../../serving/training/known-specs.ts";
import { requireOutputs } from "../running-stack.ts";
import { endpointUrl } from "../stack-outputs.ts";
import { stackTokenFor } from "../stack-token.ts";
import { metricsText } from "../training/epochs.ts";
import { wantedTraining } from "../training/wanted.ts";
import { seconds as timeText } from "../ui/reporter.ts";
import { type Call, verb as declare } from "../verb.ts";
import { openWorkspace } from "../workspace.ts";

const file = { type: "string", requiresArg: true, normalize: true } as const;
const text = { type: "string", requiresArg: true } as const;
const number = { type: "number", requiresArg: true } as const;

const options = {
  data: { ...file, describe: "the rows to learn from, a CSV file: features, then the target" },
  spec: { ...file, describe: "what to train and how, a JSON file (docs/reference/training.md)" },
  network: {
    type: "string",
    requiresArg: true,
    choices: Object.keys(knownSpecs) as (keyof typeof knownSpecs)[],
    describe: "in place of --spec: a network that has a name",
  },
  task: {
    type: "string",
    requiresArg: true,
    choices: ["binary", "classes", "values"],
    describe: "what the outputs of a trainer of your own are: the command after --",
  },
  output: { ...file, describe: "the new folder that gets the model; for `slipway up --model`" },
  parent: {
    ...text,
    describe: "a model to go on from: a folder or file; with --on, the digest of a model of the host",
  },
  epochs: { ...number, describe: "in place of the specification's" },
  seed: { ...number, describe: "in place of the specification's: the same seed gives the same model" },
  patience: { ...number, describe: "stop after so many epochs without an improvement" },
  "min-accuracy": { ...number, describe: "the share of rows, 0 to 1, that the model must get right to be kept" },
  on: {
    ...text,
    describe: "train on a host: a stack, or a URL; the token comes from SLIPWAY_TOKEN, or is the stack's",
  },
  "token-file": { ...file, describe: "with --on: the file with the token, in place of SLIPWAY_TOKEN" },
  publish: { ...text, describe: "with --on: the name that the model then serves under; without it, it serves nowhere" },
  detach: { type: "boolean", default: false, describe: "with --on: do not wait for the end" },
} as const;

type TrainCall = Call<typeof options>;

export const verb = declare({
  options,
  run: async (call) => {
    if (call.args.data === undefined) throw usage("no rows are named", "Name the file with the rows: --data FILE.");
    const { args } = call;
    const command = (args["--"] ?? []) as string[];
    const { data, spec, network, task, epochs, seed, patience, minAccuracy } = args;
    const wanted = await wantedTraining({ spec, network, task, epochs, seed, patience, minAccuracy, command });
    if (args.on === undefined) return here(call, data as string, wanted);
    if (command.length > 0) {
      throw usage("a host runs no command of yours", "Declare the trainer on the host, and name it in --spec.");
    }
    return onHost(call, data as string, wanted);
  },
});

async function here({ args, reporter, signal }: TrainCall, data: string, wanted: Wanted): Promise<void> {
  for (const name of ["publish", "tokenFile", "detach"] as const) {
    if (args[name]) throw usage(`--${dashed(name)} is for a host`, "Name the host with --on, or leave it out.");
  }
  if (args.output === undefined) throw usage("no folder for the model is named", "Name one: --output DIR.");
  const { trainHere } = await import("../training/train-here.ts");
  const places = { data, output: args.output, parent: args.parent };
  const { digest, output, metrics, verdict, parent, seconds } = await trainHere(wanted, places, { reporter, signal });
  reporter.result(
    { ok: true, digest, output, metrics, verdict, parent, seconds, timings: reporter.timings },
    [
      `${digest}, trained in ${timeText(seconds * 1000)}:`,
      ...metricsText(metrics),
      `  ${"model".padEnd(20)}${output}`,
    ].join("\n"),
  );
}

async function onHost({ args, reporter, signal }: TrainCall, data: string, wanted: Wanted): Promise<void> {
  if (args.output !== undefined) {
    throw usage("the host keeps what it trains", "Leave --output out; --publish NAME lets the model serve.");
  }
  const { parent, publish, detach } = args;
  if (parent !== undefined && !/^sha256:[0-9a-f]{64}$/.test(parent)) {
    throw usage(`${parent} is no digest`, "Name one of the host's models by its digest: --parent sha256:….");
  }
  const { trainOnHost } = await import("../training/train-on-host.ts");
  const { url, token } = await hostOf(args);
  const training = { url, token, data, parent, publish, detach };
  const { job, trained } = await trainOnHost(wanted, training, { reporter, signal });
  if (trained === undefined) {
    reporter.result({ ok: true, url, job, timings: reporter.timings }, `${url}/v1/jobs/${job}`);
    return;
  }
  const { digest, model, metrics, seconds } = trained;
  reporter.result(
    { ok: true, url, job, digest, model, metrics, seconds, timings: reporter.timings },
    [
      model === undefined
        ? `${digest}, which passed its gate and serves nowhere:`
        : `${url} serves ${model.name} version ${model.version}, ${digest}:`,
      ...metricsText(metrics),
    ].join("\n"),
  );
}

type Wanted = Awaited<ReturnType<typeof wantedTraining>>;

/** A host by its URL, or by the stack that it is of: of that a token is at hand, where none is given. */
async function hostOf({ on, ...args }: TrainCall["args"]): Promise<{ url: string; token: string | undefined }> {
  const host = on as string;
  const given = await tokenOf(args.tokenFile);
  if (!host.includes("://")) {
    const workspace = await openWorkspace({ ...args, stack: host });
    const url = endpointUrl(await requireOutputs(workspace));
    return { url, token: given ?? (await stackTokenFor("deploy", workspace)) };
  }
  const url = URL.parse(host);
  if (url && /^https?:$/.test(url.protocol) && url.username === "") {
    return { url: host.replace(/\/+$/, ""), token: given };
  }
  throw usage(`${host} is no URL of a host`, "Name it as http://ADDRESS:PORT, or name a stack.");
}

/** @returns undefined for hosts without tokens */
async function tokenOf(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return process.env.SLIPWAY_TOKEN?.trim() || undefined;
  const token = await readFile(path, "utf8").catch((error: unknown) => {
    throw usage(`the token cannot be read: ${messageOf(error)}`, "Name a file that you may read: --token-file FILE.");
  });
  return token.trim();
}

function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function usage(message: string, hint: string): SlipwayError {
  return new SlipwayError("E_USAGE", message, { hint });
}
