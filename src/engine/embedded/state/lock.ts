import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { SlipwayError } from "../../../common/errors.ts";
import { namesIn, readTextIfExists, writeFileAtomic } from "../../../common/files.ts";
import { deleteBlob, writing } from "./blob.ts";
import { stillRuns } from "./process-age.ts";

const lockFile = z.object({ pid: z.number(), username: z.string(), hostname: z.string(), timestamp: z.string() });
type Holder = z.infer<typeof lockFile>;

/** A held lock. */
export interface StackLock {
  release(): Promise<void>;
}

/**
 * Takes a stack's lock as the official engine does: look, write one's own, look again (pulumi/pulumi, pkg/backend/diy/lock.go).
 * A lock whose process on this machine is gone is broken; `onBroken` is told.
 * @throws SlipwayError E_LOCKED that names holder, host and age
 */
export async function acquireLock(folder: string, onBroken: (message: string) => void): Promise<StackLock> {
  await refuseForeign(folder, undefined, onBroken);
  const own = `${randomUUID()}.json`;
  const path = join(folder, own);
  const holder: Holder = {
    pid: process.pid,
    username: userInfo().username,
    hostname: hostname(),
    timestamp: new Date().toISOString(),
  };
  await writing(path, () => writeFileAtomic(path, JSON.stringify(holder)));
  const release = () => rm(path, { force: true });
  try {
    await refuseForeign(folder, own, onBroken);
  } catch (error) {
    await release();
    throw error;
  }
  return { release };
}

/**
 * Throws E_LOCKED while somebody else's operation holds the stack; what a process left behind that is gone is broken, as by
 * {@link acquireLock}. For an engine that takes its locks itself and breaks none.
 */
export async function refuseLocked(folder: string, onBroken: (message: string) => void): Promise<void> {
  await refuseForeign(folder, undefined, onBroken);
}

async function refuseForeign(
  folder: string,
  own: string | undefined,
  onBroken: (message: string) => void,
): Promise<void> {
  const held: string[] = [];
  for (const name of await lockNames(folder)) {
    if (name === own) continue;
    const path = join(folder, name);
    const text = await readTextIfExists(path);
    if (text === undefined) continue; // released between the two looks
    const holder = readHolder(text);
    if (holder === undefined) {
      held.push(`an unreadable lock (${path})`);
    } else if (await isLeftBehind(holder)) {
      await deleteBlob(path);
      onBroken(`broke the lock of ${describe(holder)}: that process is gone`);
    } else held.push(describe(holder));
  }
  if (held.length === 0) return;
  throw new SlipwayError("E_LOCKED", `the stack is locked by ${held.join(", and by ")}`, {
    hint: `Wait for that operation to end. If it is surely dead, run \`slipway stack cancel\`: it deletes the locks in ${folder}.`,
  });
}

/** Deletes every lock of a stack, whoever holds it; answers who they were, for people. */
export async function breakLocks(folder: string): Promise<string[]> {
  const holders: string[] = [];
  for (const name of await lockNames(folder)) {
    const path = join(folder, name);
    const text = await readTextIfExists(path);
    if (text === undefined) continue; // released meanwhile
    const holder = readHolder(text);
    await deleteBlob(path);
    holders.push(holder === undefined ? `an unreadable lock (${path})` : describe(holder));
  }
  return holders;
}

async function lockNames(folder: string): Promise<string[]> {
  return (await namesIn(folder)).filter((name) => name.endsWith(".json")).sort();
}

function readHolder(text: string): Holder | undefined {
  try {
    return lockFile.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // not JSON: someone else's file, so it is respected
  }
}

async function isLeftBehind(holder: Holder): Promise<boolean> {
  if (holder.hostname !== hostname()) return false;
  const since = new Date(holder.timestamp);
  return !(await stillRuns(holder.pid, Number.isNaN(since.getTime()) ? new Date(0) : since));
}

function describe(holder: Holder): string {
  const age = Math.max(0, Math.round((Date.now() - Date.parse(holder.timestamp)) / 1000));
  return `${holder.username}@${holder.hostname} (pid ${holder.pid}, since ${age} s)`;
}
