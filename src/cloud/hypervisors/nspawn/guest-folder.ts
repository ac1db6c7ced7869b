import { mkdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { readTextIfExists, writeFileAtomic } from "../../../common/files.ts";
import { inFolder, removeEntry } from "./guest-tree.ts";
import { diskOf } from "./overlay.ts";
import { type ProcessMark, readProcess } from "./processes.ts";

/** A guest's process as it was started; on disk, so that a later daemon finds it. */
export interface RunRecord {
  supervisor: ProcessMark;
}

const runRecord = z.object({ supervisor: z.object({ pid: z.number().int().positive(), startTime: z.string() }) });

/** The files of one guest. */
export function guestFiles(folder: string) {
  return {
    console: join(folder, "console.log"),
    run: join(folder, "run.json"),
    /** Written by the supervisor. */
    pid: join(folder, "nspawn.pid"),
    exit: join(folder, "exit"),
    root: join(folder, "root"),
    /** The path of the image tree below the guest's disk. */
    image: join(folder, "image"),
    /** The disk that a rescued guest runs from, */
    rescue: join(folder, "rescue"),
    /** and its own meanwhile. */
    rescued: join(folder, "rescued"),
    /** The volumes that are the guest's disks, */
    disks: join(folder, "disks"),
    /** and the one that it runs from, where it runs from one. */
    rootVolume: join(folder, "root-volume"),
    /** Is there while the guest stands still for a copy of its disks, and not because somebody paused it. */
    held: join(folder, "held"),
    /** The guest's containers, where its image runs some. */
    containers: join(folder, "containers"),
  };
}

/** What in a guest's folder means nothing once the guest does not run: processes, mounts, second names of volumes. */
export function passingGuestFiles(folder: string): string[] {
  const { run, pid, exit, root, disks, rootVolume, held } = guestFiles(folder);
  return [run, pid, exit, root, diskOf(folder, "").work, disks, rootVolume, held];
}

export async function readRun(folder: string): Promise<RunRecord | undefined> {
  const text = await readTextIfExists(guestFiles(folder).run);
  return text === undefined ? undefined : runRecord.parse(JSON.parse(text));
}

export const writeRun = (folder: string, record: RunRecord) =>
  writeFileAtomic(guestFiles(folder).run, JSON.stringify(record));

export const forgetRun = (folder: string) => rm(guestFiles(folder).run, { force: true });

/** The id of the guest's nspawn while it runs. */
export async function nspawnPid(folder: string): Promise<number | undefined> {
  const text = await readTextIfExists(guestFiles(folder).pid);
  const pid = Number(text?.trim() || Number.NaN);
  return Number.isInteger(pid) ? pid : undefined;
}

/**
 * The guest's first process, seen from outside; undefined where there is none, as between two starts. Only a process that is the first of
 * its PID namespace counts: nspawn has other children before, which still have this machine's root.
 */
export async function leaderOf(folder: string): Promise<number | undefined> {
  const nspawn = await nspawnPid(folder);
  const children = await readProcess(`/proc/${nspawn}/task/${nspawn}/children`);
  for (const pid of children.split(" ").filter(Boolean)) {
    const ids = /^NSpid:(?:\s+\d+)+\s+1$/m;
    if (ids.test(await readProcess(`/proc/${pid}/status`))) return Number(pid);
  }
  return undefined;
}

/** How the guest ended: the exit status of its nspawn, or undefined where the supervisor could not write it. */
export const exitStatus = async (folder: string) => (await readTextIfExists(guestFiles(folder).exit))?.trim();

/** Where cloud-init looks for a config drive without a block device, in a guest's tree. */
const seed = "var/lib/cloud/seed/config_drive";

/**
 * Writes the config drive of a guest that does not run into its tree. Readable by root alone, as a mounted one would be after cloud-init's
 * own copy. Below the drive's own folder, which is made anew, there is nothing that a guest put there.
 * @throws Error where the guest put something else in the place of a folder on its way
 */
export async function writeConfigDrive(root: string, files: Record<string, string | Uint8Array>): Promise<void> {
  await inFolder(root, dirname(seed), async (folder) => {
    await removeEntry(folder, basename(seed));
    const drive = join(folder, basename(seed));
    await mkdir(drive, { mode: 0o700 });
    const targets = Object.entries(files).map(([path, content]) => {
      const target = join(drive, path);
      if (!target.startsWith(`${drive}/`)) throw new Error(`the config drive holds a path outside of it: ${path}`);
      return { target, content };
    });
    // cloud-init's ConfigDrive source expects this folder
    const folders = new Set([join(drive, "ec2/latest"), ...targets.map(({ target }) => dirname(target))]);
    for (const made of folders) await mkdir(made, { recursive: true, mode: 0o755 });
    for (const { target, content } of targets) await writeFile(target, content, { mode: 0o600, flag: "wx" });
  });
}
