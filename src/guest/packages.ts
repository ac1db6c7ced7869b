import type { Host } from "./host.ts";

const INSTALL_TIMEOUT_MS = 300_000;

/** Asks the distribution's archives what there is. */
export async function refreshPackages(run: Host["run"]): Promise<void> {
  await apt(run, ["update"]);
}

/** Installs packages of the distribution, without what they only recommend. */
export async function installPackages(run: Host["run"], names: readonly string[]): Promise<void> {
  await apt(run, ["install", "--no-install-recommends", ...names]);
}

async function apt(run: Host["run"], args: string[]): Promise<void> {
  // other first-boot jobs may hold dpkg's lock for a while
  await run("apt-get", ["-q", "-y", "-o", "DPkg::Lock::Timeout=120", ...args], {
    timeoutMs: INSTALL_TIMEOUT_MS,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
}
