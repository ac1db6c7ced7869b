import { lchown, link, mkdir, readdir, readlink, rename, rm, stat, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isErrno } from "../../../common/errors.ts";
import { run } from "../../../common/process.ts";
import { guestDisksFolder } from "../../images/recipe.ts";
import type { GuestDisk } from "../hypervisor.ts";
import { guestFiles } from "./guest-folder.ts";
import { inFolder, removeEntry } from "./guest-tree.ts";
import { ensureLoop, growLoop, type Loop, listLoops, releaseLoop } from "./loops.ts";

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
  await giveName(path, own);
  return { device, loop: await ensureLoop(own) };
}

/** Gives a volume's file a second name, where it has it not yet. */
export async function giveName(path: string, own: string): Promise<void> {
  if (await isSameFile(own, path)) return;
  await rm(own, { force: true });
  await link(path, own);
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  try {
    return (await stat(one)).ino === (await stat(other)).ino;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

/** Lets a plugged disk be as long as its volume is now. */
export async function grow(owner: DiskOwner, device: string): Promise<void> {
  const found = (await pluggedDisks(owner)).find((disk) => disk.device === device);
  if (found !== undefined) await growLoop(found.loop);
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
 * Tells the guest what disks it has, in its own tree: its /sys/block is a mount of this, so it sees a change at once; and at each of its
 * starts, also one that it makes itself, it makes the nodes in /dev of it.
 */
export async function writeDiskView({ folder }: DiskOwner, disks: PluggedDisk[]): Promise<void> {
  const { root } = guestFiles(folder);
  const fill = (name: string, links: [name: string, target: string][]) =>
    inFolder(root, `${guestDisksFolder}/${name}`, (folder) => syncLinks(folder, links));
  await fill(
    "block",
    disks.map(({ device, loop }) => [device, `/sys/devices/virtual/block/${loop.name}`]),
  );
  // the name that lsblk prints is the last word of this link
  await fill(
    "dev-block",
    disks.map(({ device, loop }) => [loop.numbers, `/sys/block/${device}`]),
  );
}

/** Makes a folder hold exactly these symbolic links. The folder itself stays: the guest has it mounted. */
async function syncLinks(folder: string, wanted: [name: string, target: string][]): Promise<void> {
  const kept = new Set<string>();
  for (const name of await readdir(folder)) {
    const target = await readlink(join(folder, name)).catch(() => undefined); // undefined for what the guest put there
    if (wanted.some((one) => one[0] === name && one[1] === target)) kept.add(name);
    else await removeEntry(folder, name);
  }
  for (const [name, target] of wanted) if (!kept.has(name)) await symlink(target, join(folder, name));
}

/** Works in the guest's /dev, from outside, by its first process. */
const inDev = (leader: number, work: (dev: string) => Promise<void>) => inFolder(`/proc/${leader}/root`, "dev", work);

/** Debian's number of the group that udev gives disks to. */
const diskGroup = 6;

/** Makes the disk's node in a running guest, at once in its final form. */
export async function makeNode(leader: number, { device, loop }: PluggedDisk): Promise<void> {
  await inDev(leader, async (dev) => {
    const made = join(dev, `.${device}`);
    await rm(made, { force: true });
    await run("mknod", ["--mode=0660", made, "b", ...loop.numbers.split(":")]);
    await lchown(made, 0, diskGroup);
    await rename(made, join(dev, device));
  });
}

export async function removeNode(leader: number, device: string): Promise<void> {
  await inDev(leader, (dev) => rm(join(dev, device), { force: true }));
}
