import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Bytes that a folder takes up on its disk, as `du` counts them. */
export function diskUsage(folder: string): number {
  const blocks = (path: string) => lstatSync(path).blocks;
  const below = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return 512 * below.reduce((sum, path) => sum + blocks(join(folder, path)), blocks(folder));
}
