import { readdir, readFile } from "node:fs/promises";

/** Memory of several processes together, bytes. */
export interface Memory {
  /**
   * What the machine has to find for them: what each has for itself, and once the pages of files (Node's binary), which they share.
   * PSS would not do: it also divides by the processes of others that run the same Node.
   */
  distinct: number;
  /** What `ps` shows, summed: a shared page counts for each (RSS). */
  resident: number;
}

/** A process and all that descend from it. */
export async function familyOf(root: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir("/proc")) {
    const pid = Number(name);
    if (Number.isNaN(pid)) continue;
    const stat = await textOf(pid, "stat");
    parents.set(pid, Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
  }
  const isOurs = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (pid === root || isOurs(parents.get(pid)));
  return [...parents.keys()].filter(isOurs);
}

/** Memory of a process and all that descend from it. */
export async function memoryOf(root: number): Promise<Memory> {
  const rollups = await Promise.all((await familyOf(root)).map((pid) => textOf(pid, "smaps_rollup")));
  const resident = rollups.map((rollup) => bytesIn(rollup, "Rss"));
  const own = rollups.map((rollup) => bytesIn(rollup, "Anonymous"));
  const ofFiles = resident.map((bytes, index) => bytes - (own[index] ?? 0));
  return { distinct: sumOf(own) + Math.max(0, ...ofFiles), resident: sumOf(resident) };
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function bytesIn(rollup: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1] ?? 0) * 1024;
}

/** Empty where the process has ended while it is looked at. */
function textOf(pid: number, file: string): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
}
