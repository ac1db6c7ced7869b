import { mkdir } from "node:fs/promises";
import { run } from "../../../common/process.ts";
import { removeWithin } from "./guest-tree.ts";

/** A tree may be many GiB. */
const timeoutMs = 1_800_000;

/** What a guest was told at its boot is no part of its image: the next one is told its own. */
const notCopied = ["var/lib/cloud/seed"];

/**
 * Copies a guest's root tree, with owners, modes, links, holes and extended attributes, and nothing that is mounted in it.
 * @returns bytes that the copy takes
 */
export async function copyTree(root: string, target: string): Promise<number> {
  await mkdir(target, { recursive: true, mode: 0o755 });
  await run("cp", ["--archive", "--one-file-system", "--sparse=always", `${root}/.`, target], { timeoutMs });
  for (const path of notCopied) await removeWithin(target, path);
  const sizes = await run("du", ["--summarize", "--block-size=1", target], { timeoutMs });
  return Number.parseInt(sizes.stdout, 10);
}
