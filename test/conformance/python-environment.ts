import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../src/common/errors.ts";
import { cacheHome } from "../../src/common/home.ts";
import { run } from "../../src/common/process.ts";

/**
 * Python packages in a virtual environment of the cache, made where it is missing.
 * @param name of the environment; another for other versions
 * @param finish what else has to be put into it, given its Python
 * @returns the environment's Python, or why there is none: no python3, no venv module, or a package index that is not reached
 */
export function ensurePythonEnvironment(
  name: string,
  requirements: string[],
  finish?: (python: string) => Promise<void>,
): Promise<{ python: string } | { reason: string }> {
  const asked = environments.get(name) ?? makeWhereMissing(name, requirements, finish);
  environments.set(name, asked);
  return asked;
}

/** Those that this process was asked for: several clients share one, and ask at once. */
const environments = new Map<string, ReturnType<typeof makeWhereMissing>>();

async function makeWhereMissing(
  name: string,
  requirements: string[],
  finish?: (python: string) => Promise<void>,
): Promise<{ python: string } | { reason: string }> {
  const folder = join(cacheHome(), "test-clients", name);
  const python = join(folder, "bin/python");
  if (existsSync(python)) return { python };
  const building = `${folder}.${process.pid}`;
  try {
    await mkdir(join(folder, ".."), { recursive: true });
    await run("python3", ["-m", "venv", building]);
    const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...requirements];
    await run(join(building, "bin/python"), install, { timeoutMs: 300_000 });
    await finish?.(join(building, "bin/python"));
    // the interpreter finds its packages by its own place, so a finished environment may be moved
    await rename(building, folder).catch((error: unknown) => {
      if (!existsSync(python)) throw error; // another run was faster
    });
    return { python };
  } catch (error) {
    return { reason: `${requirements.join(", ")} could not be installed: ${messageOf(error).split("\n")[0]}` };
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

/** Where an environment's packages lie. */
export async function packagesOf(python: string): Promise<string> {
  return (await run(python, ["-c", "import sysconfig; print(sysconfig.get_path('purelib'), end='')"])).stdout;
}
