import { constants } from "node:fs";
import { copyFile, mkdir, open, rename, rm, stat, statfs, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { CommandError, run } from "../../common/process.ts";

// Volumes, snapshots and images as files: sparse, and copied so.

const gib = 1024 ** 3;

/** How long one copy or conversion may take, milliseconds. */
const copyTimeoutMs = 1_800_000;

/** Makes an empty content of so many GiB, which takes no room. */
export async function makeEmpty(path: string, size: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, "w", 0o600);
  await file.truncate(size * gib).finally(() => file.close());
}

/** Makes a content longer; what is new of it is empty. */
export async function growTo(path: string, size: number): Promise<void> {
  const { size: before } = await stat(path);
  if (before < size * gib) await truncate(path, size * gib);
}

/** Copies a content as it is at this moment, so that the copy is there whole or not at all and takes no room for what is empty. */
export async function copySparse(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  await whole(to, async (part) => {
    // only Linux' own cp leaves holes out; elsewhere the file system's clone does
    if (process.platform === "linux") {
      await run("cp", ["--reflink=auto", "--sparse=always", "--", from, part], { timeoutMs: copyTimeoutMs });
    } else await copyFile(from, part, constants.COPYFILE_FICLONE);
  });
}

/** How much is compared and written at once, bytes. */
const pieceSize = 1024 ** 2;

/** Writes a content over the beginning of another one; what is behind it stays. */
export async function copyOver(from: string, to: string): Promise<void> {
  if ((await stat(from)).size === (await stat(to)).size) await copySparse(from, to);
  else await copyInto(from, to);
}

/** Where they differ: what is empty in both takes no room. */
async function copyInto(from: string, to: string): Promise<void> {
  const [source, target] = [await open(from, "r"), await open(to, "r+")];
  try {
    const [wanted, found] = [Buffer.alloc(pieceSize), Buffer.alloc(pieceSize)];
    for (let at = 0; ; at += pieceSize) {
      const { bytesRead } = await source.read(wanted, 0, pieceSize, at);
      if (bytesRead === 0) break;
      const { bytesRead: there } = await target.read(found, 0, bytesRead, at);
      const piece = wanted.subarray(0, bytesRead);
      if (there !== bytesRead || !piece.equals(found.subarray(0, there))) await target.write(piece, 0, bytesRead, at);
    }
    await target.sync();
  } finally {
    await source.close();
    await target.close();
  }
}

/** Writes `to` by way of another file. */
async function whole(to: string, write: (part: string) => Promise<void>): Promise<void> {
  const part = `${to}.part`;
  await rm(part, { force: true }); // a process that outlived a killed cloud may still write into that one
  try {
    await write(part);
    await rename(part, to);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/**
 * Writes an image's content as a disk of so many GiB: a raw file as it is, other formats as qemu-img converts them, a root tree of
 * container guests as one ext4 file system.
 * @throws Error in Cinder's words for what cannot become a volume
 */
export async function imageToDisk(
  image: { id: string; path: string; diskFormat: string | null },
  to: string,
  size: number,
): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  if ((await stat(image.path)).isDirectory()) {
    await makeEmpty(to, size);
    await run("mkfs.ext4", ["-q", "-F", "-L", "root", "-d", image.path, to], { timeoutMs: copyTimeoutMs });
    return;
  }
  if (image.diskFormat === "raw" || image.diskFormat === "iso") await copySparse(image.path, to);
  else await convert(image, ["-O", "raw"], to);
  const { size: bytes } = await stat(to);
  if (bytes > size * gib) {
    await rm(to, { force: true });
    throw new Error(
      `Image ${image.id} is unacceptable: Image virtual size is ${Math.ceil(bytes / gib)}GB and doesn't fit in a volume of size ${size}GB.`,
    );
  }
  await growTo(to, size);
}

/** Writes a disk as an image's content of the format. @throws Error where that takes qemu-img and it is not here */
export async function diskToImage(from: string, diskFormat: string, to: string): Promise<void> {
  if (diskFormat === "raw") await copySparse(from, to);
  else await convert({ id: "", path: from, diskFormat: "raw" }, ["-O", diskFormat === "vhd" ? "vpc" : diskFormat], to);
}

/**
 * Reads the format that the image is said to have and no other, since a raw disk may well begin as another format does; and only formats
 * that name no other file, or are seen to name none: qemu-img would read whatever file of this machine they name.
 */
async function convert(
  { id, path, diskFormat }: { id: string; path: string; diskFormat: string | null },
  options: string[],
  to: string,
): Promise<void> {
  const unacceptable = (reason: string) => new Error(`Image ${id} is unacceptable: ${reason}`);
  if (diskFormat === "qcow2") await demandStandsAlone(path, unacceptable);
  else if (diskFormat !== "raw" && diskFormat !== "vdi") throw unacceptable(`fmt=${diskFormat} is not converted`);
  try {
    await whole(to, async (part) => {
      await run("qemu-img", ["convert", "-f", diskFormat, ...options, path, part], { timeoutMs: copyTimeoutMs });
    });
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode !== null) throw error;
    throw unacceptable(
      `qemu-img is not installed and image is of type ${diskFormat}.  Only RAW images can be used if qemu-img is not installed.`,
    );
  }
}

/** Offsets and bits of QEMU's docs/interop/qcow2.txt. @throws Error for a qcow2 file that is none or names another file */
async function demandStandsAlone(path: string, unacceptable: (reason: string) => Error): Promise<void> {
  const header = Buffer.alloc(80);
  const file = await open(path, "r");
  await file.read(header, 0, header.length, 0).finally(() => file.close());
  if (header.readUInt32BE(0) !== 0x514649fb) throw unacceptable("fmt=qcow2 content is of another format");
  const version = header.readUInt32BE(4);
  const hasDataFile = version >= 3 && (header.readBigUInt64BE(72) & 4n) !== 0n;
  if (header.readBigUInt64BE(8) !== 0n || hasDataFile) throw unacceptable("fmt=qcow2 backed by another file");
}

/** How large the file system of a folder is, and what is free there, GiB. */
export async function gigabytesOf(folder: string): Promise<{ total: number; free: number }> {
  const { blocks, bavail, bsize } = await statfs(folder);
  const gigabytes = (count: number) => Math.round((count * bsize * 100) / gib) / 100;
  return { total: gigabytes(blocks), free: gigabytes(bavail) };
}
