import { spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { isErrno } from "../../../common/errors.ts";
import { readTextIfExists } from "../../../common/files.ts";
import { run } from "../../../common/process.ts";

/** A process, told from a later one with the same id by its start time (clock ticks since boot, field 22 of /proc/PID/stat). */
export interface ProcessMark {
  pid: number;
  startTime: string;
}

/** A file of a process below /proc; empty when the process has ended. */
export async function readProcess(path: string): Promise<string> {
  try {
    return (await readTextIfExists(path)) ?? "";
  } catch (error) {
    if (isErrno(error, "ESRCH")) return ""; // ended between open and read
    throw error;
  }
}

/** The mark of a live process, or undefined for one that ended (zombies count as ended). */
export async function markOf(pid: number): Promise<ProcessMark | undefined> {
  if (process.platform !== "linux") return markByPs(pid);
  const stat = await readProcess(`/proc/${pid}/stat`);
  if (stat === "") return undefined;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // the name before it may hold blanks and brackets
  const [state, startTime] = [fields[0], fields[19]];
  return state === "Z" || state === "X" || startTime === undefined ? undefined : { pid, startTime };
}

/** Where there is no /proc: the start's date in place of the ticks. */
async function markByPs(pid: number): Promise<ProcessMark | undefined> {
  const found = await run("ps", ["-o", "stat=,lstart=", "-p", String(pid)]).catch(() => undefined); // status 1: none
  const [state, ...startTime] = found?.stdout.trim().split(/\s+/) ?? [];
  return state === undefined || state === "" || state.startsWith("Z")
    ? undefined
    : { pid, startTime: startTime.join(" ") };
}

export async function isAlive(mark: ProcessMark): Promise<boolean> {
  return (await markOf(mark.pid))?.startTime === mark.startTime;
}

/** Sends a signal to that very process; false when it has ended. */
export async function signal(mark: ProcessMark, name: NodeJS.Signals): Promise<boolean> {
  if (!(await isAlive(mark))) return false;
  try {
    return process.kill(mark.pid, name);
  } catch (error) {
    if (isErrno(error, "ESRCH")) return false;
    throw error;
  }
}

/** Starts a process that outlives this one, with its output added to a file. */
export async function startDetached(
  command: string[],
  outputFile: string,
  env: NodeJS.ProcessEnv,
): Promise<ProcessMark> {
  const output = await open(outputFile, "a", 0o600);
  try {
    const [program, ...args] = command as [string, ...string[]];
    const child = spawn(program, args, {
      detached: true,
      stdio: ["ignore", output.fd, output.fd],
      env,
      cwd: "/",
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
    child.unref();
    const mark = child.pid === undefined ? undefined : await markOf(child.pid);
    if (mark === undefined) throw new Error(`${program} ended at once`);
    return mark;
  } finally {
    await output.close();
  }
}
