import { rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { namesIn, pathExists, readTextIfExists, writeFileAtomic } from "../../../common/files.ts";
import { guestName } from "../../network/linux/names.ts";
import { stateFiles } from "../../store/state.ts";
import { isAlive, type ProcessMark } from "../nspawn/processes.ts";
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
  nics: z.array(z.string()).optional(),
});
export interface RunRecord {
  process: ProcessMark;
  forwards: Forward[];
  /** The ports of its NICs; those of guests that earlier versions started cannot be told apart, and stay. */
  nics?: string[] | undefined;
}

/** The files of one guest. */
export function guestFiles(folder: string) {
  return {
    root: join(folder, "disk.qcow2"),
    /** What it runs from while it is rescued. */
    rescue: join(folder, "rescue.qcow2"),
    configDrive: join(folder, "config.iso"),
    console: join(folder, "console.log"),
    /** What QEMU itself says. */
    log: join(folder, "qemu.log"),
    pid: join(folder, "qemu.pid"),
    run: join(folder, "run.json"),
    /** Is there while the guest stands still for a copy of its disks, and not because somebody paused it. */
    held: join(folder, "held"),
  };
}

export async function readRun(folder: string): Promise<RunRecord | undefined> {
  const text = await readTextIfExists(guestFiles(folder).run);
  return text === undefined ? undefined : runRecord.parse(JSON.parse(text));
}

export const writeRun = (folder: string, record: RunRecord) =>
  writeFileAtomic(guestFiles(folder).run, JSON.stringify(record));

/** What in a guest's folder means nothing once the guest does not run. */
export function passingFiles(folder: string): string[] {
  const { run, pid, held } = guestFiles(folder);
  return [run, pid, held];
}

export async function forgetRun(folder: string): Promise<void> {
  for (const file of passingFiles(folder)) await rm(file, { force: true });
}

/** A guest's monitor. Not deeper: paths of sockets are short. */
export const monitorOf = (stateDir: string, instance: string, id: string) =>
  join(stateDir, `${guestName(instance, id)}.qmp`);

/** A virtual machine that runs. */
export interface RunningGuest {
  folder: string;
  monitor: string;
  process: ProcessMark;
}

/** The virtual machines that run of a cloud, or of those the one with this id. */
export async function runningGuests(stateDir: string, instance: string, id?: string): Promise<RunningGuest[]> {
  const { guests } = stateFiles(stateDir);
  const found: RunningGuest[] = [];
  for (const entry of await namesIn(guests)) {
    const folder = join(guests, entry);
    if (id !== undefined && decodeURIComponent(entry) !== id) continue;
    if (!(await pathExists(guestFiles(folder).pid))) continue; // it does not run, or is a container's
    const record = await readRun(folder);
    if (record === undefined || !(await isAlive(record.process))) continue;
    const monitor = monitorOf(stateDir, instance, decodeURIComponent(entry));
    found.push({ folder, monitor, process: record.process });
  }
  return found;
}
