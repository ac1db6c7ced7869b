import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { unpackDebianPackages } from "../../../src/common/debian-packages.ts";
import { messageOf } from "../../../src/common/errors.ts";
import { cacheHome } from "../../../src/common/home.ts";

/** Shells that this machine need not have, and the packages that they are made of. */
const packages = { zsh: ["zsh", "zsh-common"], fish: ["fish", "fish-common", "libpcre2-32-0"] };

/**
 * A shell of Debian, unpacked in the cache and not installed.
 * @returns the folder that stands for `/`, or why the shell cannot be had
 */
export async function ensureShell(shell: keyof typeof packages): Promise<{ root: string } | { reason: string }> {
  const cache = join(cacheHome(), "test-shells");
  const root = join(cache, shell);
  if (existsSync(root)) return { root };
  await mkdir(cache, { recursive: true });
  const scratch = await mkdtemp(join(cache, "unpack-"));
  try {
    await rename(await unpackDebianPackages(packages[shell], scratch), root);
    return { root };
  } catch (error) {
    // another run may have been faster
    return existsSync(root) ? { root } : { reason: `${shell} is not at hand: ${messageOf(error).split("\n")[0]}` };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The folder of an architecture's libraries below `usr/lib`, with what follows it. */
export function libraries(root: string, ...names: string[]): string {
  const base = join(root, "usr/lib");
  const found = readdirSync(base).map((architecture) => join(base, architecture, ...names));
  return found.find(existsSync) ?? base;
}
