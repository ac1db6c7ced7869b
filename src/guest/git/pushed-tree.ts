import { CommandError, run } from "../../common/process.ts";
import { MOST_PUSHED } from "./spool.ts";

const GIT_MS = 120_000;

/** What cannot be a model's file, by its mode in git's trees (gitglossary, "tree object"). */
const strange: Record<string, string> = { "120000": "a symbolic link", "160000": "a submodule" };

/**
 * Lays a commit's files, or those of a folder in it, into an empty folder. The objects may still be in quarantine: git finds them by its
 * environment.
 * @throws Error in words for whoever pushed
 */
export async function layOut(commit: string, directory: string, folder: string): Promise<void> {
  const tree = directory === "." ? commit : `${commit}:${directory}`;
  const { stdout } = await git(["ls-tree", "-r", "-l", "-z", tree]).catch((error: unknown) => {
    if (error instanceof CommandError && directory !== ".") throw new Error(`the commit has no folder ${directory}`);
    throw error;
  });
  let bytes = 0;
  for (const entry of stdout.split("\0").filter(Boolean)) {
    const [mode = "", , , size, path] = entry.split(/[ \t]+/);
    if (strange[mode] !== undefined) throw new Error(`${path} is ${strange[mode]}: a model is plain files`);
    bytes += Number(size) || 0;
  }
  if (bytes > MOST_PUSHED) throw new Error(`its files have more than ${MOST_PUSHED} bytes`);
  const unpack = 'set -o pipefail; git archive --format=tar "$1" | tar -xf - -C "$2" --no-same-owner';
  await run("bash", ["-c", unpack, "bash", tree, folder], { timeoutMs: GIT_MS, env: process.env });
}

function git(args: string[]) {
  return run("git", args, { timeoutMs: GIT_MS, env: process.env });
}
