import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readTextIfExists, writeFileAtomic } from "../../../common/files.ts";
import type { Forward } from "./forwards.ts";

/** A guest's QEMU as it was started, and what leads into it; on disk, so that a later daemon finds it. */
const runRecord = z.object({
  process: z.object({ pid: z.number().int().positive(), startTime: z.string() }),
  forwards: z.array(
    z.object({
      portId: z.string(),
      protocol: z.enum(["tcp", "udp"]),
      hostAddress: z.string(),
      hostPort: z.number(),
      guestAddress: z.string(),
      guestPort: z.number(),
    }),
  ),
});
export interface RunRecord {
  process: { pid: number; startTime: string };
  forwards: Forward[];
}

/** The files of one guest. */
export function guestFiles(folder: string) {
  return {
    root: join(folder, "disk.qcow2"),
    configDrive: join(folder, "config.iso"),
    console: join(folder, "console.log"),
    /** What QEMU itself says. */
    log: join(folder, "qemu.log"),
    pid: join(folder, "qemu.pid"),
    run: join(folder, "run.json"),
  };
}

export async function guestIds(folder: string): Promise<string[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return readdir(folder);
}

export async function readRun(folder: string): Promise<RunRecord | undefined> {
  const text = await readTextIfExists(guestFiles(folder).run);
  return text === undefined ? undefined : runRecord.parse(JSON.parse(text));
}

export const writeRun = (folder: string, record: RunRecord) =>
  writeFileAtomic(guestFiles(folder).run, JSON.stringify(record));

export async function forgetRun(folder: string): Promise<void> {
  for (const file of [guestFiles(folder).run, guestFiles(folder).pid]) await rm(file, { force: true });
}
