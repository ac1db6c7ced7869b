import { readdir, readFile } from "node:fs/promises";

/** Resident memory of a process and all that descend from it, bytes; pages that they share are counted for each. */
export async function residentOf(root: number): Promise<number> {
  const parents = new Map<number, number>();
  const pages = new Map<number, number>();
  for (const name of await readdir("/proc")) {
    const pid = Number(name);
    if (Number.isNaN(pid)) continue;
    // it may end while it is looked at
    const [stat, statm] = await Promise.all(
      ["stat", "statm"].map((file) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "")),
    );
    parents.set(pid, Number(stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    pages.set(pid, Number(statm?.split(" ")[1] ?? 0));
  }
  const isOurs = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (pid === root || isOurs(parents.get(pid)));
  return [...pages].filter(([pid]) => isOurs(pid)).reduce((sum, [, count]) => sum + count, 0) * 4096;
}
