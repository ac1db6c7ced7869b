import { randomUUID } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { isErrno, SlipwayError } from "../common/errors.ts";
import { readTextIfExists } from "../common/files.ts";

/** Who works on a stack. */
const holderSchema = z.object({
  pid: z.number().int(),
  /** Distinguishes the process from a later one with the same pid: kernel clock ticks since boot; null where unknown. */
  startTicks: z.string().nullable(),
  host: z.string(),
  command: z.string(),
  since: z.iso.datetime(),
});

type Holder = z.infer<typeof holderSchema>;

/**
 * Runs `work` as the only operation on a stack. The engine has a lock of its own, on the state; this one spans the whole verb:
 * publication, update, gate and the floating IP.
 * A lock whose process is dead on this machine is taken over.
 * @param folder the stack's home
 * @throws SlipwayError E_LOCKED naming the holder
 */
export async function withStackLock<T>(folder: string, command: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, "operation.lock");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const own: Holder = {
    pid: process.pid,
    startTicks: await startTicksOf(process.pid),
    host: hostname(),
    command,
    since: new Date().toISOString(),
  };
  await acquire(path, own);
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function acquire(path: string, own: Holder): Promise<void> {
  // written first and linked then: whoever finds a lock finds all of it
  const prepared = `${path}.${randomUUID()}`;
  await writeFile(prepared, JSON.stringify(own), { mode: 0o600 });
  try {
    // Twice: after a dead holder's lock was removed the second try meets at most a living one.
    for (let attempt = 1; ; attempt++) {
      if (await linked(prepared, path)) return;
      const text = await readTextIfExists(path);
      const holder = text === undefined ? undefined : holderIn(text);
      const dead = text === undefined || holder === undefined || !(await isAlive(holder));
      if (attempt === 2 || !dead) throw lockedBy(path, holder);
      // looked at again: another process may have taken over from the dead one meanwhile
      if (text !== undefined && (await readTextIfExists(path)) === text) await rm(path, { force: true });
    }
  } finally {
    await rm(prepared, { force: true });
  }
}

/** Gives a file a second name, unless that name is taken. */
async function linked(file: string, name: string): Promise<boolean> {
  try {
    await link(file, name);
    return true;
  } catch (error) {
    if (isErrno(error, "EEXIST")) return false;
    throw error;
  }
}

/** Undefined for what no process of ours wrote: a disk that was full, a damaged file. */
function holderIn(text: string): Holder | undefined {
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

// On another host nothing can be known: such a lock counts as alive.
async function isAlive(holder: Holder): Promise<boolean> {
  if (holder.host !== hostname()) return true;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    return isErrno(error, "EPERM");
  }
  return holder.startTicks === null || holder.startTicks === (await startTicksOf(holder.pid));
}

// Field 22 of /proc/PID/stat (proc(5)); the name in field 2 may hold spaces and parentheses.
async function startTicksOf(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return null; // no such process, or no /proc on this system
    throw error;
  }
}

function lockedBy(path: string, holder: Holder | undefined): SlipwayError {
  const who =
    holder === undefined ? "an unknown process" : `\`slipway ${holder.command}\` (pid ${holder.pid} on ${holder.host})`;
  const age = holder === undefined ? "" : ` since ${holder.since}`;
  return new SlipwayError("E_LOCKED", `${who} works on this stack${age}`, {
    hint: `Wait for it to end; if that process is gone for good, remove ${path}.`,
  });
}
