/** What a measurement installs for itself, below the cache and nowhere else, kept from one run to the next. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { unpackDebianPackages } from "../../src/common/debian-packages.ts";
import { digestOf, hexOf } from "../../src/common/digest.ts";
import { cacheHome } from "../../src/common/home.ts";
import { run } from "../../src/common/process.ts";

/** A program, and what its environment must have beside what is there. */
export interface Program {
  command: string;
  env: NodeJS.ProcessEnv;
}

const INSTALL_MS = 10 * 60_000;
const cache = join(cacheHome(), "bench");

/** A folder of the cache by name; `fill` makes its content unless it is there. Two may want it at once, and one may be interrupted. */
async function kept(name: string, fill: (scratch: string) => Promise<string>): Promise<string> {
  const folder = join(cache, name);
  if (existsSync(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const scratch = await mkdtemp(join(cache, `${name}-`));
  try {
    await rename(await fill(scratch), folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
    return folder;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The load generator, out of Debian's packages. Throws where there is no such archive. */
export async function wrk(): Promise<Program> {
  const packages = ["wrk", "libluajit-5.1-2"];
  const tree = await kept("wrk", (scratch) => unpackDebianPackages(packages, scratch)).catch((cause: unknown) => {
    throw new Error("wrk makes the load and comes from Debian's archive, which this machine does not reach", { cause });
  });
  return programIn(tree, "wrk");
}

/** The load generator for HTTP/2, from the same archive. */
export async function h2load(): Promise<Program> {
  const packages = ["nghttp2-client", "libnghttp2-14", "libev4", "libjansson4", "libjemalloc2", "libxml2", "libicu72"];
  const tree = await kept("h2load", (scratch) => unpackDebianPackages(packages, scratch));
  return programIn(tree, "h2load");
}

async function programIn(tree: string, name: string): Promise<Program> {
  const libraries = join(tree, "usr/lib");
  const multiarch = (await readdir(libraries)).find((folder) => folder.endsWith("-linux-gnu")) ?? "";
  return { command: join(tree, "usr/bin", name), env: { LD_LIBRARY_PATH: join(libraries, multiarch) } };
}

/** A Python environment of exactly the packages that `competitors/NAME.txt` pins: the folder with its commands. */
export async function pythonEnvironment(name: string): Promise<string> {
  const list = join(import.meta.dirname, "competitors", `${name}.txt`);
  // It is made in its last place, since its commands name it: what is made last says that it is whole.
  const folder = join(cache, `${name}-${hexOf(digestOf(await readFile(list))).slice(0, 12)}`);
  const whole = join(folder, "whole");
  if (!existsSync(whole)) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(cache, { recursive: true });
    await run("python3", ["-m", "venv", folder], { env: process.env, timeoutMs: INSTALL_MS });
    const install = ["-m", "pip", "install", "--quiet", "--no-deps", "--requirement", list];
    await run(join(folder, "bin/python"), install, { env: process.env, timeoutMs: INSTALL_MS });
    await writeFile(whole, "");
  }
  return join(folder, "bin");
}
