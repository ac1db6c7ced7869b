import { createHash, randomBytes } from "node:crypto";
import { link, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { isErrno, messageOf, SlipwayError } from "../../../common/errors.ts";
import { readTextIfExists, writeFileAtomic } from "../../../common/files.ts";

/**
 * Files as Go's blob library keeps them (gocloud.dev/blob/fileblob): beside each its facts, with a checksum, under the same name and
 * `.attrs`. A reader takes a missing or stale one for none, so only the file itself must survive a crash.
 */
const sidecarOf = (path: string) => `${path}.attrs`;

/** Replaces a file; on disk when it returns. Throws SlipwayError E_STATE_UNWRITABLE. */
export async function writeBlob(path: string, content: string | Uint8Array, mediaType: string): Promise<void> {
  await writing(path, async () => {
    await mkdir(dirname(path), { recursive: true });
    await replaceQuickly(sidecarOf(path), factsOf(content, mediaType));
    await writeFileAtomic(path, content);
  });
}

/**
 * Gives a file a second name, which may be taken; answers whether there is such a file. A hard link costs nothing: blobs are replaced
 * by renaming, so the content lives on under the second name.
 */
export async function copyBlob(from: string, to: string): Promise<boolean> {
  return writing(to, async () => {
    await mkdir(dirname(to), { recursive: true });
    if (!(await linked(from, to))) return false;
    if (!(await linked(sidecarOf(from), sidecarOf(to)))) await rm(sidecarOf(to), { force: true });
    return true;
  });
}

/** Removes a file and what is said of it. */
export async function deleteBlob(path: string): Promise<void> {
  await writing(path, async () => {
    for (const one of [path, sidecarOf(path)]) await rm(one, { force: true });
  });
}

/** Moves a file with what is said of it; the new name may be taken. Nothing where there is no such file. */
export async function moveBlob(from: string, to: string): Promise<void> {
  if (await copyBlob(from, to)) await deleteBlob(from);
}

function factsOf(content: string | Uint8Array, mediaType: string): string {
  return `${JSON.stringify({
    "user.cache_control": "",
    "user.content_disposition": "",
    "user.content_encoding": "",
    "user.content_language": "",
    "user.content_type": mediaType,
    "user.metadata": null,
    md5: createHash("md5").update(content).digest("base64"),
  })}\n`;
}

/** As a reader sees it all at once, but without waiting for the disk. */
async function replaceQuickly(path: string, content: string): Promise<void> {
  if ((await readTextIfExists(path)) === content) return;
  const temporary = temporaryBeside(path);
  try {
    await writeFile(temporary, content, { flag: "wx", mode: 0o600 });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  const temporary = temporaryBeside(to);
  try {
    await link(from, temporary);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
  await rename(temporary, to);
  // rename() of two names of one file does nothing and leaves the first
  await rm(temporary, { force: true });
  return true;
}

function temporaryBeside(path: string): string {
  return `${path}.${randomBytes(4).toString("hex")}.tmp`;
}

/** What a disk or a folder says that takes nothing. */
const refusals = ["EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "ENOTDIR", "EFBIG", "EIO"];

/** Runs `action` and says of a failure to write what it means. Throws SlipwayError E_STATE_UNWRITABLE. */
export async function writing<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (!refusals.some((code) => isErrno(cause, code))) throw cause;
    throw new SlipwayError("E_STATE_UNWRITABLE", `the state cannot be written: ${messageOf(cause)}`, {
      cause,
      hint: `Make room, or make ${dirname(path)} writable for this user; the last state that was saved is whole.`,
    });
  }
}
