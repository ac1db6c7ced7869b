import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, link, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isErrno } from "../common/errors.ts";
import { filesBelow, writeFileAtomic } from "../common/files.ts";
import type { ObjectStore } from "./object-store.ts";

/**
 * The publication of one stack in a folder of this machine, for clouds without an object store: from there it is pushed into the hosts.
 * The folder is the stack's own, so that it stands for its container, whatever the name.
 * @param sourceUrl where hosts find what was pushed
 */
export function folderStore(folder: string, sourceUrl: string): ObjectStore {
  return {
    async ensurePublicContainer() {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      return sourceUrl;
    },
    async put(_, path, content) {
      const target = join(folder, path);
      if (typeof content === "object" && "file" in content) await copyWhole(content.file, target);
      else await writeFileAtomic(target, content);
    },
    async putNew(_, path, content) {
      const target = join(folder, path);
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      return createWhole(target, content);
    },
    head: (_, path) =>
      orNone(async () => {
        const { size, mtimeMs } = await stat(join(folder, path));
        return { size, ageMs: Math.max(0, Date.now() - mtimeMs) };
      }),
    get: (_, path) => orNone(() => readFile(join(folder, path))),
    remove: (_, path) => rm(join(folder, path), { force: true }),
    list: () => orNone(() => filesBelow(folder)),
    removeContainer: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The file appears whole, or not where there is one: a link takes no name that is taken. */
async function createWhole(target: string, content: string): Promise<boolean> {
  const temporary = `${target}.${process.pid}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, content, { mode: 0o600, flag: "wx" });
    await link(temporary, target);
    return true;
  } catch (error) {
    if (isErrno(error, "EEXIST")) return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** The copy appears whole; where the file system can, it shares the original's blocks. */
async function copyWhole(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  const temporary = `${to}.${process.pid}.tmp`;
  try {
    await copyFile(from, temporary, constants.COPYFILE_FICLONE);
    await rename(temporary, to);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function orNone<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
