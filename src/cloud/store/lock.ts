import { DatabaseSync } from "node:sqlite";
import { SlipwayError } from "../../common/errors.ts";

/** A held lock; the kernel gives it back when the process ends, however it ends. */
export interface StateLock {
  release(): void;
}

/** SQLite's code for a file that another process has locked. */
const busy = 5;

/**
 * Takes the lock of a cloud's state, or answers undefined where another process has it. An SQLite file that stays in an exclusive
 * transaction: Node has no flock, and a pid file alone cannot tell a living owner from a reused number.
 */
export function tryLock(path: string): StateLock | undefined {
  const db = new DatabaseSync(path);
  try {
    db.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    if ((error as { errcode?: number }).errcode === busy) return undefined;
    throw error;
  }
  return { release: () => db.close() };
}

/** @throws SlipwayError E_LOCKED where another process runs the cloud */
export function lockState(path: string): StateLock {
  const lock = tryLock(path);
  if (lock === undefined) throw new SlipwayError("E_LOCKED", "another process runs this cloud already");
  return lock;
}
