import { readFile } from "node:fs/promises";

/** The CPUs in the kernel's list form, `0-2,5`. Pure. */
export function cpusIn(list: string): number[] {
  return list
    .trim()
    .split(",")
    .flatMap((part) => {
      const [first = 0, last = first] = part.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
}

/** The CPUs that this process may run on. */
export async function ownCpus(): Promise<number[]> {
  const status = await readFile("/proc/self/status", "utf8");
  return cpusIn(/^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? "0");
}

/** Gives guests as many CPUs as their flavors say, in turn, so that they spread over the machine: a guest counts its CPUs by these. */
export class CpuTurns {
  #next = 0;

  /** At most all that there are. */
  take(count: number, available: number[]): number[] {
    const taken = Array.from(
      { length: Math.min(count, available.length) },
      (_, index) => available[(this.#next + index) % available.length] as number,
    );
    this.#next = (this.#next + taken.length) % available.length;
    return taken.toSorted((one, other) => one - other);
  }
}
