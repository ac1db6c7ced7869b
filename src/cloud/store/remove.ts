import { lstat, rm } from "node:fs/promises";
import { isErrno } from "../../common/errors.ts";
import { run } from "../../common/process.ts";

/** A tree may hold millions of files. */
const removeTimeoutMs = 1_800_000;

/**
 * Removes a file or folder that a guest wrote to, with all that is in it and nothing that is mounted in it; what is not there is fine.
 * Links are removed and not followed, also where one takes a folder's place meanwhile, and folders may lie deeper than a path is long:
 * Node's own `rm` keeps neither promise.
 */
export async function removeTree(path: string): Promise<void> {
  if (process.platform !== "linux") return rm(path, { recursive: true, force: true });
  if (!(await isThere(path))) return; // mostly so, and a process costs more than a look
  await run("rm", ["-rf", "--one-file-system", "--", path], { timeoutMs: removeTimeoutMs });
}

/** Whether there is something of that name, also a link that leads nowhere. */
const isThere = (path: string) =>
  lstat(path).then(
    () => true,
    (error: unknown) => !isErrno(error, "ENOENT"), // of anything else `rm` tells
  );
