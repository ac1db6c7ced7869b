import { readFile } from "node:fs/promises";
import { isErrno } from "../../../common/errors.ts";

/** The unit of a process's start time in /proc on every Linux that Node runs on. */
const ticksPerSecond = 100;

/**
 * True when the process that had `pid` at `since` still runs on this machine. A pid whose process is younger than that was given
 * away again: after a reboot, or in a container, low numbers return at once.
 */
export async function stillRuns(pid: number, since: Date): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (isErrno(error, "ESRCH")) return false;
    if (!isErrno(error, "EPERM")) throw error;
  }
  const started = await startOf(pid);
  const clockDoubt = 2000; // the boot time in /proc/stat is in whole seconds
  return started === undefined || started.getTime() <= since.getTime() + clockDoubt;
}

/** When a process began; undefined where the machine does not say (no /proc). */
async function startOf(pid: number): Promise<Date | undefined> {
  let status: string;
  let machine: string;
  try {
    [status, machine] = await Promise.all([readFile(`/proc/${pid}/stat`, "utf8"), readFile("/proc/stat", "utf8")]);
  } catch {
    return undefined; // no /proc, or the process ended meanwhile: then its lock is looked at again next time
  }
  // Field 22; the second field is the command in parentheses and may hold spaces.
  const ticks = Number(status.slice(status.lastIndexOf(")") + 2).split(" ")[19]);
  const boot = Number(/^btime (\d+)/m.exec(machine)?.[1]);
  return Number.isFinite(ticks) && Number.isFinite(boot) ? new Date((boot + ticks / ticksPerSecond) * 1000) : undefined;
}
