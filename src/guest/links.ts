import { randomBytes } from "node:crypto";
import { mkdir, rename, symlink } from "node:fs/promises";
import { dirname } from "node:path";

/** Makes `link` a symbolic link to `target`; a reader sees the old or the new target and nothing between. */
export async function pointLink(link: string, target: string): Promise<void> {
  await mkdir(dirname(link), { recursive: true });
  const temporary = `${link}.${randomBytes(4).toString("hex")}`;
  await symlink(target, temporary);
  await rename(temporary, link);
}
