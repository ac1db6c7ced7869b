import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../../common/process.ts";

/** A mount as /proc/self/mountinfo lists it (proc(5)). */
export interface Mount {
  target: string;
  source: string;
  type: string;
}

/** The mounts of this process's namespace. */
export async function listMounts(): Promise<Mount[]> {
  return parseMountinfo(await readFile("/proc/self/mountinfo", "utf8"));
}

/** Fields 5, and after the separator, 1 and 2; blanks in them are written as octal escapes. */
export function parseMountinfo(text: string): Mount[] {
  const plain = (field: string) =>
    field.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const [before, after] = line.split(" - ") as [string, string];
      const [type = "", source = ""] = after.split(" ");
      return { target: plain(before.split(" ")[4] ?? ""), source: plain(source), type };
    });
}

export interface OverlayPaths {
  lower: string;
  upper: string;
  work: string;
  target: string;
}

/** The `-o` text of an overlay mount. Pure. @throws Error for a path that the option cannot hold */
export function overlayOptions({ lower, upper, work }: OverlayPaths): string {
  for (const path of [lower, upper, work]) {
    if (/[,:\\]/.test(path))
      throw new Error(`an overlay mount cannot be made of ${path}: its path holds one of , : \\`);
  }
  return `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
}

/** A guest's disk below its folder: what it wrote (`up`) over an image. */
export function diskOf(folder: string, lower: string): OverlayPaths {
  return { lower, upper: join(folder, "up"), work: join(folder, "work"), target: join(folder, "root") };
}

/** Mounts a disk where it is not mounted. `source` names the mount, so that it can be found by it. */
export async function ensureMounted(paths: OverlayPaths, source: string): Promise<void> {
  if ((await listMounts()).some(({ target }) => target === paths.target)) return;
  const options = overlayOptions(paths);
  for (const folder of [paths.upper, paths.work, paths.target]) await mkdir(folder, { recursive: true });
  await run("mount", ["-t", "overlay", source, "-o", options, paths.target]);
}

/** Unmounts whatever is mounted at or below a folder, the innermost first. */
export async function unmountBelow(folder: string): Promise<void> {
  const targets = (await listMounts())
    .map(({ target }) => target)
    .filter((target) => target === folder || target.startsWith(`${folder}/`));
  // a file system's last pages go to its disk meanwhile
  for (const target of targets.toReversed()) await unmount(target, 300_000);
}

/** Takes a mount off its folder. Whoever clears the same away may have been first. */
export async function unmount(target: string, timeoutMs?: number): Promise<void> {
  try {
    await run("umount", ["--lazy", target], timeoutMs === undefined ? {} : { timeoutMs });
  } catch (error) {
    if ((await listMounts()).some((mount) => mount.target === target)) throw error;
  }
}
