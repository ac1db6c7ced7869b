import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { pathExists } from "../../common/files.ts";
import { type ExternalTrainer, externalTrainerSchema } from "../../serving/training/contract.ts";
import { knownSpecs } from "../../serving/training/known-specs.ts";

/** What the command line says of a training. */
export interface TrainingArguments {
  /** The path of a specification. */
  spec?: string | undefined;
  /** One that is known by its name. */
  network?: keyof typeof knownSpecs | undefined;
  task?: string | undefined;
  epochs?: number | undefined;
  seed?: number | undefined;
  patience?: number | undefined;
  minAccuracy?: number | undefined;
  /** The words after `--`: a trainer of one's own. */
  command: readonly string[];
}

/** A training as a trainer takes it, who checks it. */
export interface WantedTraining {
  spec: Record<string, unknown>;
  /** Programs of this machine that train, by their names in the specification. */
  trainers: Record<string, ExternalTrainer>;
}

/** The name of the trainer that the command line brings. */
const OWN_TRAINER = "command";

/**
 * Puts together what is to be trained: a specification, with what the command line says in place of what it says.
 * @throws SlipwayError E_USAGE, or E_TRAINING_INVALID for a file that cannot be read
 */
export async function wantedTraining(args: TrainingArguments): Promise<WantedTraining> {
  const { epochs, seed, patience, minAccuracy, task, command } = args;
  const base = await baseOf(args);
  const spec: Record<string, unknown> = {
    ...base,
    ...(command.length > 0 && { kind: "external", trainer: OWN_TRAINER }),
    ...(task !== undefined && { task }),
    ...(epochs !== undefined && { epochs }),
    ...(seed !== undefined && { seed }),
    ...(patience !== undefined && { earlyStopping: { ...objectIn(base.earlyStopping), patience } }),
    ...(minAccuracy !== undefined && { gate: { ...objectIn(base.gate), minAccuracy } }),
  };
  return { spec, trainers: command.length > 0 ? { [OWN_TRAINER]: await ownTrainer(command) } : {} };
}

async function baseOf({ spec, network, command, task }: TrainingArguments): Promise<Record<string, unknown>> {
  if (spec !== undefined && network !== undefined) throw usage("--spec and --network both say what to train");
  if (spec !== undefined) return readSpec(spec);
  if (command.length > 0) {
    if (network !== undefined) throw usage("--network is trained here, a command after -- trains its own");
    if (task === undefined) throw usage("what the command's outputs are is not said");
    return {};
  }
  if (network === undefined) throw usage("nothing says what to train");
  return knownSpecs[network];
}

async function readSpec(path: string): Promise<Record<string, unknown>> {
  try {
    const spec: unknown = JSON.parse(await readFile(path, "utf8"));
    if (typeof spec === "object" && spec !== null && !Array.isArray(spec)) return spec as Record<string, unknown>;
    throw new Error("it is no JSON object");
  } catch (cause) {
    throw new SlipwayError("E_TRAINING_INVALID", `the specification ${path} cannot be read: ${messageOf(cause)}`, {
      hint: "Write it as docs/how-to/train.md shows.",
      cause,
    });
  }
}

/** A trainer is run in a folder of its own: files that are named from here are named in full. */
async function ownTrainer(command: readonly string[]): Promise<ExternalTrainer> {
  const inFull = async (word: string) => ((await pathExists(word)) ? resolve(word) : word);
  const [program = "", ...rest] = command;
  // a program without a slash is looked for on the PATH
  const words = [program.includes("/") ? resolve(program) : program, ...(await Promise.all(rest.map(inFull)))];
  return externalTrainerSchema.parse({ command: words });
}

function objectIn(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}

function usage(message: string): SlipwayError {
  return new SlipwayError("E_USAGE", message, {
    hint: "Give --spec FILE, --network snic, or --task and a trainer of your own after --.",
  });
}
