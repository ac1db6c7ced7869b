import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** CPU time that was taken by a moment, milliseconds. */
export interface CpuTaken {
  /** By the guests. */
  guests: number;
  /** By what makes them and looks on: processes and what they started and saw the end of. */
  around: number;
  /** By the whole machine. */
  machine: number;
}

/** The kernel tells times in ticks (USER_HZ, 100 a second on every Linux). */
const tickMs = 10;

/**
 * @param groups the guests' control groups in the v2 hierarchy
 * @param processes ids of those around them
 */
export async function cpuTaken(groups: readonly string[], processes: readonly number[]): Promise<CpuTaken> {
  const [guests, around, machine] = await Promise.all([
    Promise.all(groups.map(takenByGroup)),
    Promise.all(processes.map(takenByProcess)),
    takenByMachine(),
  ]);
  return { guests: sumOf(guests), around: sumOf(around), machine };
}

/** `cpu.stat` (cgroup v2): it is there whether the controller is on or not. A group that is not there took nothing. */
async function takenByGroup(group: string): Promise<number> {
  const stat = await readFile(join(group, "cpu.stat"), "utf8").catch(() => "");
  return Number(/^usage_usec (\d+)$/m.exec(stat)?.[1] ?? 0) / 1000;
}

/** Fields 14 to 17 of /proc/PID/stat: its own time, and that of children that were waited for. */
async function takenByProcess(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return sumOf(fields.slice(11, 15).map(Number)) * tickMs;
}

/** The first line of /proc/stat without idle and iowait, and without what its guests are counted twice for. */
async function takenByMachine(): Promise<number> {
  const [line = ""] = (await readFile("/proc/stat", "utf8")).split("\n");
  const [user, nice, system, , , irq, softirq] = line.split(/\s+/).slice(1).map(Number);
  return sumOf([user, nice, system, irq, softirq].map((ticks) => ticks ?? 0)) * tickMs;
}

const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
