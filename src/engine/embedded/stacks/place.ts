import { SlipwayError } from "../../../common/errors.ts";
import { hasState, readCheckpoint, type StackPaths, stackPaths } from "../state/backend.ts";
import { type CheckpointJson, damaged, parseCheckpoint } from "../state/checkpoint.ts";
import { acquireLock } from "../state/lock.ts";

/** Which stack's state is meant, and where it is kept. */
export interface StackPlace {
  backendUrl: string;
  project: string;
  stack: string;
}

/** The files of a stack. */
export function pathsOf({ backendUrl, project, stack }: StackPlace): StackPaths {
  return stackPaths(backendUrl, project, stack);
}

/** A stack's checkpoint as it stands. Throws SlipwayError E_STACK_UNKNOWN where there is none, E_STATE_DAMAGED, E_UNSUPPORTED. */
export async function requireCheckpoint(place: StackPlace): Promise<CheckpointJson> {
  const found = await readCheckpoint(pathsOf(place));
  if (found === undefined) throw noState(place);
  return parseCheckpoint(found.file, found.text);
}

/** A checkpoint's JSON, of whatever version: for those who pass it on as it is. Throws SlipwayError E_STACK_UNKNOWN, E_STATE_DAMAGED. */
export async function requireRawCheckpoint(place: StackPlace): Promise<RawCheckpoint> {
  const found = await readCheckpoint(pathsOf(place));
  if (found === undefined) throw noState(place);
  try {
    const content = JSON.parse(found.text) as RawCheckpoint;
    if (typeof content.version === "number" && typeof content.checkpoint === "object") return content;
  } catch (cause) {
    throw damaged(found.file, "it is not JSON", cause);
  }
  throw damaged(found.file, "it is no checkpoint");
}

interface RawCheckpoint {
  version: number;
  features?: string[];
  checkpoint: { latest?: object };
}

/** Throws SlipwayError E_USAGE where a stack has state already. */
export async function refuseExisting(place: StackPlace): Promise<void> {
  if (await hasState(pathsOf(place))) throw alreadyThere(place.stack, "it has state");
}

/** The error for a name that is taken. */
export function alreadyThere(stack: string, why: string): SlipwayError {
  return new SlipwayError("E_USAGE", `a stack named ${stack} already exists: ${why}`, {
    hint: "Choose another name, or remove that stack first with `slipway stack rm`.",
  });
}

/** Runs `work` while no other operation changes the stack. Throws SlipwayError E_LOCKED. */
export async function withStateLock<T>(
  place: StackPlace,
  warn: (message: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  const lock = await acquireLock(pathsOf(place).locks, warn);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

function noState({ stack }: StackPlace): SlipwayError {
  return new SlipwayError("E_STACK_UNKNOWN", `the stack ${stack} has no state`, {
    hint: "Run `slipway stack ls`: it lists the stacks that there are.",
  });
}
