import { constants, type FileHandle, mkdir, open, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isErrno } from "../../../common/errors.ts";
import { removeTree } from "../../store/remove.ts";

// A guest is root in its tree, and this machine's root works in it from outside. A link that the guest puts in the place of a folder would
// lead out of the tree, since it is the machine's files that it is resolved in. So every part of a path is opened by itself and no link
// followed, and what is opened stays what it is, whatever the guest, which may be running, does to the path.

/** A path in a guest's tree on which there is something else in the place of a folder. */
class NoFolder extends Error {
  override readonly name = "NoFolder";
}

/** The folder itself: no link to one, and no pipe that would be waited for. */
const folderItself = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Leads to an open folder by what is open, not by its name; in other processes as well. One name may be put behind it. */
const pathOf = ({ fd }: FileHandle) => `/proc/${process.pid}/fd/${fd}`;

const folderMode = 0o755;

/** Most folders on a way are there: so it is opened first, and made where that fails. */
async function openFolder(parent: FileHandle, name: string, make: boolean): Promise<FileHandle> {
  const path = join(pathOf(parent), name);
  try {
    return await open(path, folderItself);
  } catch (error) {
    if (!make || !isErrno(error, "ENOENT")) throw error;
  }
  await mkdir(path, { mode: folderMode }).catch((error: unknown) => {
    if (!isErrno(error, "EEXIST")) throw error;
  });
  return open(path, folderItself);
}

/** Goes down from the root, part by part. */
async function walk(root: string, path: string, make: boolean): Promise<FileHandle> {
  let folder = await open(root, constants.O_RDONLY | constants.O_DIRECTORY);
  for (const part of path.split("/")) {
    const parent = folder;
    try {
      if (part === "" || part === "." || part === "..") throw new Error(`${path} is no path within a tree`);
      folder = await openFolder(parent, part, make);
    } catch (error) {
      if (isErrno(error, "ELOOP") || isErrno(error, "ENOTDIR")) throw new NoFolder(`the guest's /${path} is no folder`);
      throw error;
    } finally {
      await parent.close();
    }
  }
  return folder;
}

/**
 * Works in a folder of a guest's tree, made where it is missing.
 * @param path below the root: `var/lib/cloud`
 * @param work is given a path to the folder, behind which it may put one name
 * @throws Error where a part of the path is something else than a folder
 */
export async function inFolder<T>(root: string, path: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await walk(root, path, true);
  try {
    return await work(pathOf(folder));
  } finally {
    await folder.close();
  }
}

/** The folder at a path of a guest's tree; undefined where there is none, or not only folders on the way. */
async function folderAt(root: string, path: string): Promise<FileHandle | undefined> {
  try {
    return await walk(root, path, false);
  } catch (error) {
    if (error instanceof NoFolder || isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Whether there is a folder at a path of a guest's tree, and only folders on the way. */
export async function isFolderWithin(root: string, path: string): Promise<boolean> {
  const folder = await folderAt(root, path);
  await folder?.close();
  return folder !== undefined;
}

/** Removes what is in an open folder of a guest's tree under a name, with all that is in it. */
export async function removeEntry(folder: string, name: string): Promise<void> {
  const path = join(folder, name);
  try {
    await unlink(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return;
    if (!isErrno(error, "EISDIR")) throw error;
    await removeTree(path);
  }
}

/** Removes what is at a path of a guest's tree; what is behind a link is not in the tree. */
export async function removeWithin(root: string, path: string): Promise<void> {
  const folder = await folderAt(root, dirname(path));
  if (folder === undefined) return;
  try {
    await removeEntry(pathOf(folder), basename(path));
  } finally {
    await folder.close();
  }
}
