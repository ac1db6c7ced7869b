import { existsSync } from "node:fs";
import { SlipwayError } from "../../common/errors.ts";
import { type KernelLock, tryLock } from "../../common/kernel-lock.ts";

/** Who only looks whether the lock is held has it for a moment ({@link isLocked}): it is tried again for so long, milliseconds. */
const patienceMs = 300;
const pauseMs = 20;

/** @throws SlipwayError E_LOCKED where another process runs the cloud */
export function lockState(path: string): KernelLock {
  const end = performance.now() + patienceMs;
  for (;;) {
    const lock = tryLock(path);
    if (lock !== undefined) return lock;
    if (performance.now() > end) throw new SlipwayError("E_LOCKED", "another process runs this cloud already");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
  }
}

/** Whether a process has the lock of that file; the file is not made. */
export function isLocked(path: string): boolean {
  if (!existsSync(path)) return false;
  const lock = tryLock(path);
  lock?.release();
  return lock === undefined;
}
