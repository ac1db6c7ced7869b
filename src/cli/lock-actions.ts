import { SlipwayError } from "../common/errors.ts";
import { describeHolder } from "../release/lock-holder.ts";
import { breakSharedLock, type FoundLock, findSharedLock, isAlive, lockedBy } from "../release/shared-lock.ts";
import { localHolder } from "../release/stack-lock.ts";
import { confirmByName } from "./confirm.ts";
import { sharedLockPlace } from "./locked.ts";
import { requireOwnCloud, type Workspace } from "./workspace.ts";

/** How an action answers: for programs and for people. */
interface Answer {
  object: Record<string, unknown>;
  text: string;
}

interface LockArguments {
  force: boolean;
  yes: boolean;
  signal: AbortSignal;
}

/** What `slipway lock` can do. */
export const lockActions: Record<string, (workspace: Workspace, args: LockArguments) => Promise<Answer>> = {
  status: tellHolders,
  release: releaseLock,
};

async function tellHolders(workspace: Workspace): Promise<Answer> {
  const { stack, stackHome } = workspace;
  await requireOwnCloud(workspace);
  const place = await sharedLockPlace(workspace);
  const [local, shared] = await Promise.all([
    localHolder(stackHome),
    place === undefined ? undefined : findSharedLock(place),
  ]);
  const here = local?.holds ? local.holder : undefined;
  const lines = [
    ...(here === undefined ? [] : [`on this machine: ${describeHolder(here)}`]),
    ...(shared === undefined ? [] : [`in the store: ${wordsOf(shared)}`]),
  ];
  return {
    object: {
      stack,
      local: here ?? null,
      shared: shared === undefined ? null : { ...shared, alive: isAlive(shared) },
    },
    text: lines.length === 0 ? `nobody works on ${stack}` : lines.join("\n"),
  };
}

function wordsOf(found: FoundLock): string {
  const { holder, silentMs } = found;
  const who = holder === undefined ? "a note that cannot be read" : describeHolder(holder, silentMs);
  return isAlive(found) ? who : `${who}; it is dead, and the next command breaks its lock`;
}

/**
 * Removes the lock in the store: that of a dead holder at once, that of one who lives only by force. The kernel's lock on this machine
 * ends with its process and cannot be taken from it.
 * @throws SlipwayError E_LOCKED naming who still works
 */
async function releaseLock(workspace: Workspace, { force, yes, signal }: LockArguments): Promise<Answer> {
  const { stack, stackHome } = workspace;
  await requireOwnCloud(workspace);
  const local = await localHolder(stackHome);
  if (local?.holds) {
    throw new SlipwayError("E_LOCKED", `${describeHolder(local.holder)} works on ${stack}, on this machine`, {
      hint: "End that process: its lock ends with it.",
    });
  }
  const place = await sharedLockPlace(workspace);
  const found = place === undefined ? undefined : await findSharedLock(place);
  if (place === undefined || found === undefined) {
    return { object: { stack, released: null }, text: `${stack} was not locked` };
  }
  if (isAlive(found)) {
    if (!force) throw lockedBy(found);
    if (!yes) await confirmByName(stack, `breaking the lock of ${wordsOf(found)}`, signal);
  }
  await breakSharedLock(place);
  return { object: { stack, released: found.holder ?? null }, text: `broke the lock of ${wordsOf(found)}` };
}
