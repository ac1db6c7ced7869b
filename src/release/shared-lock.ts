import { SlipwayError } from "../common/errors.ts";
import { describeHolder, type Holder, holderIn } from "./lock-holder.ts";
import type { ObjectStore } from "./object-store.ts";

/** The object's name beside the manifest. */
const LOCK = "lock";
/** A holder that was not heard of for so long is dead: it beats every {@link BEAT_MS}. */
export const DEAD_MS = 30_000;
export const BEAT_MS = 5000;

/** Where a stack's machines see each other's locks. */
export interface LockPlace {
  store: ObjectStore;
  container: string;
}

/** A lock as it lies in the store. */
export interface FoundLock {
  /** Undefined where what lies there is no note of a holder. */
  holder: Holder | undefined;
  /** How long the holder was not heard of, by the store's clock: machines need not agree on the time. */
  silentMs: number;
}

/** The lock that lies in the store; undefined where there is none. */
export async function findSharedLock({ store, container }: LockPlace): Promise<FoundLock | undefined> {
  const [content, about] = await Promise.all([store.get(container, LOCK), store.head(container, LOCK)]);
  if (content === undefined || about === undefined) return undefined;
  return { holder: holderIn(Buffer.from(content).toString("utf8")), silentMs: about.ageMs };
}

/** Whether a lock's holder still works: whoever does beats. */
export function isAlive({ silentMs }: FoundLock): boolean {
  return silentMs < DEAD_MS;
}

/**
 * Takes the lock in the store, if nobody who lives has it. One whose holder is dead is broken.
 * @param replaced id of an operation of this machine that is known to be over: its lock is broken at once
 * @returns undefined when it is ours, else whose it is
 */
export async function trySharedLock(
  place: LockPlace,
  holder: Holder,
  replaced: string | undefined,
): Promise<FoundLock | undefined> {
  const { store, container } = place;
  const found = await findSharedLock(place);
  if (found !== undefined) {
    if (isAlive(found) && (replaced === undefined || found.holder?.id !== replaced)) return found;
    await store.remove(container, LOCK);
  }
  await store.putNew(container, LOCK, JSON.stringify(holder));
  // of two that broke one lock, or whose store knows no conditions, the last one has it; and an answer that was lost is found here
  const now = await findSharedLock(place);
  return now?.holder?.id === holder.id ? undefined : (now ?? { holder: undefined, silentMs: 0 });
}

/** Says in the store that the holder still works; false where the lock is another's by now, which stays as it is. */
export async function beatSharedLock(place: LockPlace, holder: Holder): Promise<boolean> {
  if (!(await holdsSharedLock(place, holder))) return false;
  const content = JSON.stringify({ ...holder, beat: new Date().toISOString() });
  await place.store.put(place.container, LOCK, content, { contentType: "text/plain; charset=utf-8" });
  return true;
}

/** Whether the lock in the store is this holder's. */
export async function holdsSharedLock({ store, container }: LockPlace, { id }: Holder): Promise<boolean> {
  const content = await store.get(container, LOCK);
  return content !== undefined && holderIn(Buffer.from(content).toString("utf8"))?.id === id;
}

/** Gives the lock back; another's stays. */
export async function releaseSharedLock(place: LockPlace, holder: Holder): Promise<void> {
  if (await holdsSharedLock(place, holder)) await place.store.remove(place.container, LOCK);
}

/** Removes the lock, whoever has it. */
export async function breakSharedLock({ store, container }: LockPlace): Promise<void> {
  await store.remove(container, LOCK);
}

/** Somebody works on the stack, here or elsewhere. */
export function lockedBy(found: Partial<FoundLock>): SlipwayError {
  const who = found.holder === undefined ? "another process" : describeHolder(found.holder, found.silentMs);
  return new SlipwayError("E_LOCKED", `${who} works on this stack`, {
    hint: "Wait for it with --lock-wait SECONDS, or end it; `slipway lock status` shows whether it still lives.",
  });
}
