import { randomUUID } from "node:crypto";
import { hostname, userInfo } from "node:os";
import { z } from "zod";

/** Who works on a stack, or did last: beside the lock, for whoever finds it taken. */
const holderSchema = z.object({
  /** Of this one operation. */
  id: z.string(),
  /** Login name. */
  who: z.string(),
  host: z.string(),
  pid: z.number().int(),
  /** The verb, with its stack. */
  command: z.string(),
  since: z.iso.datetime(),
  /** When the holder was last heard of, by its own clock. */
  beat: z.iso.datetime(),
});

export type Holder = z.infer<typeof holderSchema>;

/** This process as a holder, from now on. */
export function newHolder(command: string): Holder {
  const now = new Date().toISOString();
  return { id: randomUUID(), who: loginName(), host: hostname(), pid: process.pid, command, since: now, beat: now };
}

/** The login name, e.g. `ada`; a process without an entry in the user database has its number. */
export function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "unknown");
  }
}

/** The holder in a note; undefined for a note that is torn, or of another form. */
export function holderIn(text: string | undefined): Holder | undefined {
  if (text === undefined) return undefined;
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** A holder in words: what it does, where, since when, and how long nothing was heard of it. */
export function describeHolder({ who, host, pid, command, since }: Holder, silentMs?: number): string {
  const heard = silentMs === undefined ? "" : `, last heard of ${Math.round(silentMs / 1000)} s ago`;
  return `\`slipway ${command}\` (${who}, pid ${pid} on ${host}, since ${since}${heard})`;
}
