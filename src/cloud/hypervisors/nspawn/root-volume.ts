import { mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { CommandError, run } from "../../../common/process.ts";
import type { GuestDisk } from "../hypervisor.ts";
import { type DiskOwner, giveName } from "./disks.ts";
import { guestFiles } from "./guest-folder.ts";
import { ensureLoop, type Loop, listLoops, releaseLoop } from "./loops.ts";

/** How long mke2fs' kin may take, milliseconds: a file system that grows writes into all that is new. */
const timeoutMs = 1_800_000;
/** How long a file system's last pages may take to its file, milliseconds. */
const releaseMs = 300_000;

/** The volume's second name in the guest's folder, apart from those of the disks that the guest sees. */
const linkOf = ({ folder, name }: DiskOwner) => `${guestFiles(folder).rootVolume}/${name}-vda`;

/** The loop device of the volume that a guest runs from, while it does. */
export const rootVolumeLoop = async (owner: DiskOwner): Promise<Loop | undefined> =>
  (await listLoops()).find(({ backingFile }) => backingFile === linkOf(owner));

/**
 * Mounts a volume's ext4 file system as what the guest runs from, as large as the volume is by now. The guest gets no block device of it: what
 * is mounted is not to be written beside the file system.
 * @throws Error for a volume with another content
 */
export async function mountRootVolume(owner: DiskOwner, { path }: GuestDisk): Promise<void> {
  const { root } = guestFiles(owner.folder);
  await mkdir(dirname(linkOf(owner)), { recursive: true });
  await giveName(path, linkOf(owner));
  const { name } = await ensureLoop(linkOf(owner));
  await mkdir(root, { recursive: true });
  let isExt4 = true;
  try {
    isExt4 = await fillVolume(`/dev/${name}`);
    // a broken one must not be what the file system itself may ask for: the machine's end
    await run("mount", ["-t", "ext4", "-o", "nodev,errors=remount-ro", `/dev/${name}`, root], { timeoutMs });
  } catch (error) {
    await unplugRootVolume(owner);
    if (isExt4) throw error;
    const message = "The volume holds no ext4 file system, which is what container guests run from.";
    throw new Error(message, { cause: error });
  }
}

/** After the guest's processes are gone and its root is unmounted. */
export async function unplugRootVolume(owner: DiskOwner): Promise<void> {
  const loop = await rootVolumeLoop(owner);
  if (loop !== undefined) await releaseLoop(loop, releaseMs);
  await rm(dirname(linkOf(owner)), { recursive: true, force: true });
}

/**
 * Lets the file system of a disk that is not mounted be as large as the disk, as cloud-init does in a virtual machine, which sees its root disk.
 * While it is mounted that takes a capability that machines within machines have not.
 * @returns false for a disk without such a file system
 */
async function fillVolume(device: string): Promise<boolean> {
  const header = await run("dumpe2fs", ["-h", device], { timeoutMs }).catch(() => undefined);
  if (header === undefined) return false;
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(header.stdout)?.[1]);
  const size = Number((await run("blockdev", ["--getsize64", device])).stdout);
  const blockSize = field("Block size");
  if (size - field("Block count") * blockSize < blockSize) return true;
  await run("e2fsck", ["-fp", device], { timeoutMs }).catch((error: unknown) => {
    if (!(error instanceof CommandError) || error.exitCode !== mended) throw error;
  });
  await run("resize2fs", [device], { timeoutMs });
  return true;
}

/** e2fsck(8): errors were found and corrected. */
const mended = 1;
