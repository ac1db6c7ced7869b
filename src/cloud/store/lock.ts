import { SlipwayError } from "../../common/errors.ts";
import { type KernelLock, tryLock } from "../../common/kernel-lock.ts";

/** @throws SlipwayError E_LOCKED where another process runs the cloud */
export function lockState(path: string): KernelLock {
  const lock = tryLock(path);
  if (lock === undefined) throw new SlipwayError("E_LOCKED", "another process runs this cloud already");
  return lock;
}
