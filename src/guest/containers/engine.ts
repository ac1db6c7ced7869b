import { existsSync } from "node:fs";
import type { RunOptions } from "../../common/process.ts";
import type { Host } from "../host.ts";
import { runOutside } from "../outside.ts";
import { installPackages, refreshPackages } from "../packages.ts";

export const PODMAN = "/usr/bin/podman";
/** The distribution's: Podman, what runs its containers, what makes their network. */
const packages = ["podman", "crun", "netavark", "nftables"];

/** Runs Podman. */
export function podman(run: Host["run"], args: string[], options?: RunOptions) {
  return runOutside(run, PODMAN, args, options);
}

/** Installs Podman where it is not there. */
export async function ensurePodman(
  { run }: Pick<Host, "run">,
  exists: (path: string) => boolean = existsSync,
): Promise<void> {
  if (exists(PODMAN)) return;
  await refreshPackages(run);
  await installPackages(run, packages);
  if (!exists(PODMAN)) throw new Error(`the package podman has installed no ${PODMAN}`);
}
