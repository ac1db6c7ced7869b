import { mkdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { SlipwayError } from "../common/errors.ts";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import { tryLock } from "../common/kernel-lock.ts";

/** Who works on a stack, or did last: beside the lock, for whoever finds it taken. */
const holderSchema = z.object({ pid: z.number(), host: z.string(), command: z.string(), since: z.string() });

/**
 * Runs `work` as the only operation on a stack. The engine has a lock of its own, on the state; this one spans the whole verb:
 * publication, update, gate and the floating IP. It ends with its process, however that ends.
 * @param folder the stack's home
 * @throws SlipwayError E_LOCKED naming the holder
 */
export async function withStackLock<T>(folder: string, command: string, work: () => Promise<T>): Promise<T> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const holderFile = join(folder, "operation.json");
  const lock = tryLock(join(folder, "operation.lock"));
  if (lock === undefined) throw lockedBy(await readTextIfExists(holderFile));
  try {
    const holder = { pid: process.pid, host: hostname(), command, since: new Date().toISOString() };
    await writeFileAtomic(holderFile, JSON.stringify(holder));
    return await work();
  } finally {
    lock.release();
  }
}

function lockedBy(note: string | undefined): SlipwayError {
  const holder = holderSchema.safeParse(note === undefined ? undefined : JSON.parse(note));
  const who = holder.success
    ? `\`slipway ${holder.data.command}\` (pid ${holder.data.pid} on ${holder.data.host}, since ${holder.data.since})`
    : "another process";
  return new SlipwayError("E_LOCKED", `${who} works on this stack`, { hint: "Wait for it to end, or end it." });
}
