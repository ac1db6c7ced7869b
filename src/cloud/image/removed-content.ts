import { randomUUID } from "node:crypto";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "../../common/errors.ts";
import { namesIn } from "../../common/files.ts";
import { removeTree } from "../store/remove.ts";

const mark = ".gone-";

/** Removes an image's content, which may be a large tree: under another name, so that an image made anew with the same id has its own at once. */
export async function removeContent(path: string): Promise<void> {
  const gone = `${path}${mark}${randomUUID()}`;
  try {
    await rename(path, gone);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return;
    throw error;
  }
  await removeTree(gone);
}

/** Removes what is left of removals that the end of the cloud broke off. */
export async function finishRemovals(folder: string): Promise<void> {
  for (const name of await namesIn(folder)) if (name.includes(mark)) await removeTree(join(folder, name));
}
