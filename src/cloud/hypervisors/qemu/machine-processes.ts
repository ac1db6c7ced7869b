import { readdir } from "node:fs/promises";
import { run } from "../../../common/process.ts";
import { markOf, type ProcessMark, readProcess } from "../nspawn/processes.ts";

/**
 * The QEMUs that were started with a name and a UUID, found by their command lines: also one whose start nobody could note, and one that has
 * not yet written its process id.
 */
export async function machineProcesses(name: string, uuid: string): Promise<ProcessMark[]> {
  const isTheirs = (words: string[]) => words.includes(name) && words[words.indexOf("-uuid") + 1] === uuid;
  const all = process.platform === "linux" ? await commandLines() : await commandLinesByPs();
  const marks = await Promise.all(all.filter(({ words }) => isTheirs(words)).map(({ pid }) => markOf(pid)));
  return marks.filter((mark) => mark !== undefined);
}

interface CommandLine {
  pid: number;
  words: string[];
}

async function commandLines(): Promise<CommandLine[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  return Promise.all(
    pids.map(async (pid) => {
      const line = await readProcess(`/proc/${pid}/cmdline`).catch(() => ""); // another user's may be hidden, and is none of ours
      return { pid, words: line.split("\0") };
    }),
  );
}

/** Where there is no /proc. */
async function commandLinesByPs(): Promise<CommandLine[]> {
  const { stdout } = await run("ps", ["-axww", "-o", "pid=,command="]);
  return stdout.split("\n").map((line) => {
    const [pid, ...words] = line.trim().split(/\s+/);
    return { pid: Number(pid), words };
  });
}
