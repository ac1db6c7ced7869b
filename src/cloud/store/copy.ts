import { constants } from "node:fs";
import { cp } from "node:fs/promises";
import { run } from "../../common/process.ts";

/** Volumes and images can be large. */
const copyTimeoutMs = 3_600_000;

/**
 * Copies a file or folder to a path where nothing is, as it is: owners, modes, times, extended attributes (an overlay's marks), devices, links among
 * the copied, holes in files. Blocks are shared where the file system can (reflink), and copied else; nothing that is written to
 * the one shows in the other. What is mounted below is left out.
 */
export async function copyAsIs(from: string, to: string): Promise<void> {
  if (process.platform !== "linux") {
    return cp(from, to, { recursive: true, preserveTimestamps: true, mode: constants.COPYFILE_FICLONE });
  }
  const how = ["--archive", "--one-file-system", "--reflink=auto", "--sparse=always", "--no-target-directory"];
  await run("cp", [...how, "--", from, to], { timeoutMs: copyTimeoutMs });
}

/** Brings to the disk all that was written below a folder: what is renamed then is whole, also after a power cut. */
export async function syncTree(folder: string): Promise<void> {
  // all of its file system, by one call: file by file, a tree of some ten thousand takes longer
  await run("sync", process.platform === "linux" ? ["--file-system", folder] : [], { timeoutMs: copyTimeoutMs });
}
