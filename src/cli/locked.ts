import type { LockPlace } from "../release/shared-lock.ts";
import { containerName, ensureSigningKey, findSigningKey } from "../release/signing-key.ts";
import { type StackLock, withStackLock } from "../release/stack-lock.ts";
import { type Delivery, possibleStores } from "./delivery.ts";
import type { Reporter } from "./ui/reporter.ts";
import type { LocalStack, Workspace } from "./workspace.ts";

/** Who works, and how long another's work is waited for. */
interface Locking {
  /** The verb, for whoever finds the stack locked. */
  verb: string;
  reporter: Reporter;
  /** Seconds; 0 unless given. */
  lockWait?: number | undefined;
  signal: AbortSignal;
}

/** A stack as its lock needs it. */
type Locked = Pick<LocalStack, "stack" | "stackHome">;

/**
 * Runs a verb's work as the only operation on a stack.
 * @throws SlipwayError E_LOCKED naming the holder, when the patience is over
 */
export function whileLocked<T>(
  { stack, stackHome }: Locked,
  { verb, reporter, lockWait = 0, signal }: Locking,
  work: (lock: StackLock) => Promise<T>,
): Promise<T> {
  return withStackLock(stackHome, `${verb} ${stack}`, work, {
    waitMs: lockWait * 1000,
    signal,
    onWait: (who) => reporter.note(`waiting for ${who}`),
  });
}

/** Holds a stack that is about to be published for other machines too. Throws SlipwayError E_LOCKED. */
export async function shareLock(lock: StackLock, { stack, stackHome }: Locked, { store }: Delivery): Promise<void> {
  const container = containerName(stack, await ensureSigningKey(stackHome));
  await store.ensurePublicContainer(container);
  await lock.share({ store, container });
}

/** The same for a stack that may never have been published: where it was not, other machines know nothing of it. */
export async function shareLockWherePublished(lock: StackLock, workspace: Workspace): Promise<void> {
  const place = await sharedLockPlace(workspace);
  if (place !== undefined) await lock.share(place);
}

/** Where the stack's lock is seen by other machines; undefined before the stack's first publication. */
export async function sharedLockPlace(workspace: Workspace): Promise<LockPlace | undefined> {
  const key = await findSigningKey(workspace.stackHome);
  if (key === undefined) return undefined;
  const container = containerName(workspace.stack, key);
  for (const store of await possibleStores(workspace)) {
    if ((await store.list(container)) !== undefined) return { store, container };
  }
  return undefined;
}
