import { readFile, rename, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { messageOf, SlipwayError } from "../common/errors.ts";
import { pathExists, writeFileAtomic } from "../common/files.ts";
import { assertKnown } from "../engine/embedded/operations/stack-files.ts";
import { exportStack, exportStackInClear } from "../engine/embedded/stacks/export.ts";
import { importStack } from "../engine/embedded/stacks/import.ts";
import { listStacks, type StackSummary } from "../engine/embedded/stacks/list.ts";
import { stackOutputs } from "../engine/embedded/stacks/outputs.ts";
import { alreadyThere, pathsOf } from "../engine/embedded/stacks/place.ts";
import { removeStack } from "../engine/embedded/stacks/remove.ts";
import { renameStack } from "../engine/embedded/stacks/rename.ts";
import { breakLocks } from "../engine/embedded/state/lock.ts";
import { withStackLock } from "../release/stack-lock.ts";
import { confirmByName } from "./confirm.ts";
import { findPassphrase } from "./passphrase.ts";
import { type PlacedStack, placeStack } from "./stack-place.ts";
import { readInput } from "./value-input.ts";

/** What the command line says. */
interface StackArguments {
  /** The stack, its new name, or one of its outputs. */
  name: string | undefined;
  stack: string | undefined;
  file: string | undefined;
  force: boolean;
  yes: boolean;
  showSecrets: boolean;
  preserveConfig: boolean;
  /** Aborted when the user interrupts. */
  signal: AbortSignal;
}

/** What an action answers: for programs and for people. */
interface Answer {
  object: Record<string, unknown>;
  text: string;
}

type Action = (args: StackArguments, warn: (message: string) => void) => Promise<Answer>;

/** What `slipway stack` can do with a stack's state. */
export const stackActions: Record<string, Action> = {
  export: exportState,
  import: importState,
  output: tellOutputs,
  rename: renameAll,
  rm: removeAll,
  ls: list,
  cancel,
};

const chosen = ({ name, stack }: StackArguments) => placeStack(name ?? stack);

async function exportState(args: StackArguments): Promise<Answer> {
  const { place, home } = await chosen(args);
  const { version, features, deployment } = args.showSecrets
    ? await exportStackInClear(place, await findPassphrase(home))
    : await exportStack(place);
  const exported = { version, ...(features === undefined ? {} : { features }), deployment };
  const text = JSON.stringify(exported, null, 4);
  if (args.file === undefined) return { object: { stack: place.stack, ...exported }, text };
  const file = resolve(args.file);
  await writeFileAtomic(file, `${text}\n`);
  return { object: { stack: place.stack, file }, text: `written: ${file}` };
}

async function importState(args: StackArguments, warn: (message: string) => void): Promise<Answer> {
  const { place, home, files } = await chosen(args);
  await assertKnown(files);
  const text =
    args.file === undefined ? await readInput("a deployment", "Name its file with --file.") : await fileOf(args.file);
  const resources = await importStack(place, text, {
    passphrase: await findPassphrase(home),
    salt: files.file.encryptionSalt,
    force: args.force,
    warn,
  });
  return {
    object: { stack: place.stack, resources },
    text: `${place.stack} has the imported state: ${resources} resources`,
  };
}

async function tellOutputs({ name, stack, showSecrets }: StackArguments): Promise<Answer> {
  const { place, home } = await placeStack(stack);
  const outputs = await stackOutputs(place, showSecrets ? await findPassphrase(home) : undefined);
  const names = Object.keys(outputs).sort();
  if (name === undefined) {
    const width = Math.max(0, ...names.map((each) => each.length));
    const lines = names.map((each) => `${each.padEnd(width)}  ${wordsOf(outputs[each])}`);
    return { object: { stack: place.stack, outputs }, text: lines.join("\n") || `${place.stack} has no outputs` };
  }
  if (!Object.hasOwn(outputs, name)) {
    throw new SlipwayError("E_USAGE", `${place.stack} has no output ${name}`, {
      hint: names.length === 0 ? "Run `slipway up` first." : `Choose one of ${names.join(", ")}.`,
    });
  }
  const value = outputs[name];
  return { object: { stack: place.stack, name, value }, text: wordsOf(value) };
}

/** Texts as they are, for scripts; the rest as JSON. */
function wordsOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

async function fileOf(path: string): Promise<string> {
  try {
    return await readFile(resolve(path), "utf8");
  } catch (cause) {
    throw new SlipwayError("E_USAGE", `${path} cannot be read: ${messageOf(cause)}`, {
      cause,
      hint: "Name a file that `slipway stack export --file` wrote.",
    });
  }
}

async function renameAll(args: StackArguments, warn: (message: string) => void): Promise<Answer> {
  const { name } = args;
  if (name === undefined) {
    throw new SlipwayError("E_USAGE", "the new name is missing", {
      hint: "Write it like `slipway stack rename NEW --stack OLD`.",
    });
  }
  const from = await placeStack(args.stack);
  const to = await placeStack(name);
  const old = from.place.stack;
  await assertKnown(from.files);
  if (to.files.file.exists) throw alreadyThere(name, `${to.files.file.path} is there`);
  if (await pathExists(to.stackHome)) throw alreadyThere(name, `${to.stackHome} is there`);
  await whileUnused(from, `stack rename ${name}`, () =>
    renameStack(from.place, name, warn, async () => {
      if (from.files.file.exists) await rename(from.files.file.path, to.files.file.path);
      if (await pathExists(from.stackHome)) await rename(from.stackHome, to.stackHome);
    }),
  );
  return { object: { stack: name, renamedFrom: old }, text: `renamed ${old} to ${name}` };
}

async function removeAll(args: StackArguments, warn: (message: string) => void): Promise<Answer> {
  const found = await chosen(args);
  const { place, files, stackHome } = found;
  await assertKnown(files);
  if (!args.yes) await confirmByName(place.stack, `removing ${place.stack}`, args.signal);
  const left = await whileUnused(found, `stack rm ${place.stack}`, () =>
    removeStack(place, { force: args.force, warn }, async (resources) => {
      if (!args.preserveConfig) await rm(files.file.path, { force: true });
      // while its hosts are left behind, the keys that open and release to them are wanted
      if (resources === 0) await rm(stackHome, { recursive: true, force: true });
    }),
  );
  const kept = left === 0 ? "" : `; ${left} resources are left behind, and ${stackHome} with their keys`;
  return { object: { stack: place.stack, leftBehind: left }, text: `${place.stack} is removed${kept}` };
}

/** Keeps verbs off the stack that hold its folder's lock; one that was never used here has none. */
async function whileUnused<T>({ stackHome }: PlacedStack, command: string, work: () => Promise<T>): Promise<T> {
  return (await pathExists(stackHome)) ? withStackLock(stackHome, command, work) : work();
}

async function list(): Promise<Answer> {
  const { files, place } = await placeStack();
  const stacks = await listStacks(files.project, place.backendUrl);
  const rows = [["NAME", "LAST UPDATE", "RESOURCE COUNT"], ...stacks.map(rowOf)];
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const text = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return { object: { stacks }, text: text.join("\n") };
}

function rowOf({ name, lastUpdate, resourceCount, updateInProgress, problem }: StackSummary): string[] {
  const update = updateInProgress ? "in progress" : (lastUpdate ?? "n/a");
  return [name, update, problem ?? (resourceCount === undefined ? "n/a" : String(resourceCount))];
}

async function cancel(args: StackArguments): Promise<Answer> {
  const { place, files } = await chosen(args);
  await assertKnown(files);
  if (!args.yes) await confirmByName(place.stack, `breaking the locks of ${place.stack}`, args.signal);
  const holders = await breakLocks(pathsOf(place).locks);
  const text =
    holders.length === 0 ? `${place.stack} was not locked` : `broke the lock of ${holders.join(", and of ")}`;
  return { object: { stack: place.stack, broken: holders }, text };
}
