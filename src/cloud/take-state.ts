import type { KernelLock } from "../common/kernel-lock.ts";
import { removeDaemonInfo } from "./daemon-info.ts";
import { completeReplacement } from "./snapshots/replace.ts";
import { lockState } from "./store/lock.ts";
import { stateFiles } from "./store/state.ts";

/**
 * Takes the lock of a cloud's state, and brings to its end what a process that was killed has left half done there.
 * @throws SlipwayError E_LOCKED where another process has it, E_LEFTOVERS where something of a replaced state is still in use
 */
export async function takeState(stateDir: string): Promise<KernelLock> {
  const lock = lockState(stateFiles(stateDir).lock);
  try {
    await removeDaemonInfo(stateDir); // of a daemon that was killed: its id may be another process's
    await completeReplacement(stateDir);
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}
