import { chmod, chown, link, lstat, mkdir, readdir, readlink, rm, stat, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isErrno } from "../../../common/errors.ts";
import { writeFileAtomic } from "../../../common/files.ts";
import { run } from "../../../common/process.ts";
import { diskViewFolder } from "../../images/recipe.ts";
import type { GuestDisk } from "../hypervisor.ts";
import { guestFiles } from "./guest-folder.ts";
import { ensureLoop, type Loop, listLoops, releaseLoop } from "./loops.ts";

/** Whose disks. */
export interface DiskOwner {
  /** The guest's folder. */
  folder: string;
  /** The guest's machine name. */
  name: string;
}

/** A volume that a loop device makes a disk of. */
export interface PluggedDisk {
  /** `vdb` */
  device: string;
  loop: Loop;
}

/**
 * A volume's second name in its guest's folder. The loop device is made of it: so its backing file tells on this machine whose disk it
 * is, also after this process is gone.
 */
const linkOf = ({ folder, name }: DiskOwner, device: string) => join(guestFiles(folder).disks, `${name}-${device}`);

/** The guest's disks, as this machine's loop devices tell. */
export async function pluggedDisks({ folder, name }: DiskOwner): Promise<PluggedDisk[]> {
  return (await listLoops())
    .filter(({ backingFile }) => dirname(backingFile) === guestFiles(folder).disks)
    .map((loop) => ({ device: basename(loop.backingFile).slice(name.length + 1), loop }))
    .toSorted((one, other) => one.device.localeCompare(other.device));
}

/** Makes a loop device of a volume, where it has none as this disk. */
export async function plug(owner: DiskOwner, { device, path }: GuestDisk): Promise<PluggedDisk> {
  const own = linkOf(owner, device);
  await mkdir(dirname(own), { recursive: true });
  if (!(await isSameFile(own, path))) {
    await rm(own, { force: true });
    await link(path, own);
  }
  const loop = await ensureLoop(own);
  await giveToDiskGroup(`/dev/${loop.name}`); // nspawn binds this very node into the guest
  return { device, loop };
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  try {
    return (await stat(one)).ino === (await stat(other)).ino;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

export async function unplug(owner: DiskOwner, { device, loop }: PluggedDisk): Promise<void> {
  await releaseLoop(loop);
  await rm(linkOf(owner, device), { force: true });
}

/** After the end of the guest's processes. */
export async function unplugAll(owner: DiskOwner): Promise<void> {
  for (const disk of await pluggedDisks(owner)) await unplug(owner, disk);
  await rm(guestFiles(owner.folder).disks, { recursive: true, force: true });
}

/**
 * What the guest sees in sysfs at once (the folder is mounted into it), and gets in /dev at its next start, also at one that it makes
 * itself: only its own disks, under their names.
 */
export async function writeDiskView({ folder, name }: DiskOwner, disks: PluggedDisk[]): Promise<void> {
  const { diskView, settings } = guestFiles(folder);
  await syncLinks(
    join(diskView, "block"),
    disks.map(({ device, loop }) => [device, `/sys/devices/virtual/block/${loop.name}`]),
  );
  // the name that lsblk prints is the last word of this link
  await syncLinks(
    join(diskView, "dev-block"),
    disks.map(({ device, loop }) => [loop.numbers, `/sys/block/${device}`]),
  );
  await writeFileAtomic(settings(name), nspawnSettings(diskView, disks));
}

/** The guest's .nspawn file: nspawn reads it at each start. Pure. */
export function nspawnSettings(diskView: string, disks: PluggedDisk[]): string {
  const lines = [
    "[Files]",
    `BindReadOnly=${diskView}:${diskViewFolder}`,
    ...disks.map(({ device, loop }) => `Bind=/dev/${loop.name}:/dev/${device}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** Makes a folder hold exactly these symbolic links. The folder itself stays: it may be mounted in the guest. */
async function syncLinks(folder: string, wanted: [name: string, target: string][]): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const kept = new Set<string>();
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const target = await readlink(path);
    if (wanted.some((one) => one[0] === name && one[1] === target)) kept.add(name);
    else await rm(path);
  }
  for (const [name, target] of wanted) if (!kept.has(name)) await symlink(target, join(folder, name));
}

/** The guest's /dev, from outside, by its first process. @throws Error where the guest put something else in its place */
async function guestDev(leader: number): Promise<string> {
  const path = `/proc/${leader}/root/dev`;
  if (!(await lstat(path)).isDirectory()) throw new Error("the guest's /dev is no folder");
  return path;
}

/** What udev does with a disk's node, where there is one. The number is Debian's. */
async function giveToDiskGroup(node: string): Promise<void> {
  await chown(node, 0, 6);
  await chmod(node, 0o660);
}

/** Makes the disk's node in a running guest; udev would, but guests have none. */
export async function makeNode(leader: number, { device, loop }: PluggedDisk): Promise<void> {
  const path = join(await guestDev(leader), device);
  const [major = "", minor = ""] = loop.numbers.split(":");
  await rm(path, { force: true });
  await run("mknod", [path, "b", major, minor]);
  await giveToDiskGroup(path);
}

export async function removeNode(leader: number, device: string): Promise<void> {
  await rm(join(await guestDev(leader), device), { force: true });
}
