import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./process.ts";

const DOWNLOAD_TIMEOUT_MS = 60_000;

/**
 * Downloads packages of this machine's Debian archive into a scratch folder and unpacks them there: nothing is installed.
 * @returns the folder that stands for `/`. Throws CommandError.
 */
export async function unpackDebianPackages(names: string[], scratch: string): Promise<string> {
  // root's folders are closed to apt's own user, which apt warns about
  const download = ["-o", "APT::Sandbox::User=root", "download", ...names];
  await run("apt-get", download, { cwd: scratch, timeoutMs: DOWNLOAD_TIMEOUT_MS });
  const files = (await readdir(scratch)).filter((name) => name.endsWith(".deb"));
  if (files.length !== names.length) throw new Error(`apt-get downloaded ${files.length} of ${names.length} packages`);
  for (const file of files) await run("dpkg", ["-x", file, "tree"], { cwd: scratch });
  return join(scratch, "tree");
}
