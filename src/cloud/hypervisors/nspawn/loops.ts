import { constants } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { isErrno } from "../../../common/errors.ts";
import { namesIn, readTextIfExists } from "../../../common/files.ts";
import { run } from "../../../common/process.ts";
import { waitFor } from "../../../common/wait.ts";

/** A loop device that has a file behind it (loop(4)). */
export interface Loop {
  /** `loop3` */
  name: string;
  /** Major and minor number: `7:3`. */
  numbers: string;
  /** The file; of a removed one the kernel says so behind its path. */
  backingFile: string;
}

/** All loop devices in use on this machine, whoever made them. */
export async function listLoops(): Promise<Loop[]> {
  const names = (await readdir("/sys/block")).filter((name) => name.startsWith("loop"));
  const loops = await Promise.all(
    names.map(async (name): Promise<Loop[]> => {
      const backingFile = await readAttribute(`/sys/block/${name}/loop/backing_file`);
      const numbers = await readAttribute(`/sys/block/${name}/dev`);
      return backingFile === undefined || numbers === undefined ? [] : [{ name, numbers, backingFile }];
    }),
  );
  return loops.flat();
}

/** An attribute in sysfs; undefined for a device that is, or just went, without it. */
async function readAttribute(path: string): Promise<string | undefined> {
  try {
    return (await readTextIfExists(path))?.trim();
  } catch (error) {
    if (isErrno(error, "ENXIO") || isErrno(error, "ENODEV")) return undefined;
    throw error;
  }
}

/** The loop device of a file, made where there is none. */
export async function ensureLoop(file: string): Promise<Loop> {
  const find = async () => (await listLoops()).find(({ backingFile }) => backingFile === file);
  const found = await find();
  if (found !== undefined) return found;
  await run("losetup", ["--find", file]);
  const made = await find();
  if (made === undefined) throw new Error(`losetup made no loop device for ${file}`);
  await forgetPartitions(made); // of whoever had the device before
  return made;
}

/** Lets a loop device be as long as its file is now (LOOP_SET_CAPACITY). */
export async function growLoop({ name }: Loop): Promise<void> {
  await run("losetup", ["--set-capacity", `/dev/${name}`]);
}

/** A guest's root can tell the kernel of partitions (partx), which would outlive the disk and be found on the next one of this number. */
async function forgetPartitions({ name }: Loop): Promise<void> {
  const partitions = (await namesIn(`/sys/block/${name}`)).filter((entry) => entry.startsWith(`${name}p`));
  for (const partition of partitions) await run("delpart", [`/dev/${name}`, partition.slice(name.length + 1)]);
}

/** Whether the device is claimed: mounted, swapped on, part of an array. */
export async function isClaimed({ name }: Loop): Promise<boolean> {
  try {
    await open(`/dev/${name}`, constants.O_RDONLY | constants.O_EXCL).then((file) => file.close());
    return false;
  } catch (error) {
    if (isErrno(error, "EBUSY")) return true;
    throw error;
  }
}

/**
 * Takes a loop device off its file, and returns once nobody can write through it any more: the kernel puts that off until the last one has
 * closed it. @throws SlipwayError E_TIMEOUT where somebody keeps it open
 */
export async function releaseLoop(loop: Loop, timeoutMs = 10_000): Promise<void> {
  const { name, backingFile } = loop;
  const isGone = async () => {
    const found = (await listLoops()).find((one) => one.name === name && one.backingFile === backingFile);
    return found === undefined ? true : undefined;
  };
  if (await isGone()) return;
  await forgetPartitions(loop);
  await run("losetup", ["--detach", `/dev/${name}`]);
  await waitFor(`/dev/${name} to be closed`, isGone, { timeoutMs, intervalMs: 20 });
}
