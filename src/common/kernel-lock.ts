import { DatabaseSync } from "node:sqlite";

/** A held lock; the kernel gives it back when the process ends, however it ends. */
export interface KernelLock {
  release(): void;
}

/** SQLite's code for a file that another process has locked. */
const busy = 5;

/**
 * Takes the lock of a file, or answers undefined where another process (or another part of this one) has it. An SQLite file that stays
 * in an exclusive transaction: Node has no flock, and a pid file alone cannot tell a living owner from a reused number.
 */
export function tryLock(path: string): KernelLock | undefined {
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
