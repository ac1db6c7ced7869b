import { existsSync } from "node:fs";
import { SlipwayError } from "../../common/errors.ts";
import { type KernelLock, tryLock } from "../../common/kernel-lock.ts";

/** @throws SlipwayError E_LOCKED where another process runs the cloud */
export function lockState(path: string): KernelLock {
  const lock = tryLock(path);
  if (lock === undefined) throw new SlipwayError("E_LOCKED", "another process runs this cloud already");
  return lock;
}

/** Whether a process has the lock of that file; the file is not made. */
export function isLocked(path: string): boolean {
  if (!existsSync(path)) return false;
  const lock = tryLock(path);
  lock?.release();
  return lock === undefined;
}
