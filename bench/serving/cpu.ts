import { readFile } from "node:fs/promises";
import { familyOf } from "../process-tree.ts";

/** The kernel's tick of processor time on Linux, as user space sees it (USER_HZ). */
const TICKS_PER_SECOND = 100;

/** Seconds of processor time that a process and all that descend from it have used, those that ended and were waited for included. */
export async function cpuSecondsOf(root: number): Promise<number> {
  const ticks = await Promise.all((await familyOf(root)).map(ticksOf));
  return ticks.reduce((sum, each) => sum + each, 0) / TICKS_PER_SECOND;
}

/** utime, stime, cutime and cstime of proc_pid_stat(5); 0 for a process that has ended. */
async function ticksOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}
