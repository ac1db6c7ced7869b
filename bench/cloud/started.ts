import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { destroyCloud, startDaemon } from "../../src/cloud/control.ts";
import type { DaemonInfo, HypervisorChoice } from "../../src/cloud/daemon-info.ts";

export interface StartedCloud {
  info: DaemonInfo;
  /** From the call to the first answer. */
  readyMs: number;
  cloudsFile: string;
  remove(): Promise<void>;
}

/** A daemon of its own below a folder. */
export async function startBenchCloud(folder: string, hypervisor: HypervisorChoice): Promise<StartedCloud> {
  const stateDir = join(folder, "cloud");
  const cloudsFile = join(folder, "clouds.yaml");
  const begun = performance.now();
  const info = await startDaemon({ stateDir, hypervisor, cloudsFile, projectRoot: join(import.meta.dirname, "../..") });
  await fetch(info.authUrl);
  const readyMs = performance.now() - begun;
  return { info, readyMs, cloudsFile, remove: async () => void (await destroyCloud(stateDir)) };
}

/** Resident memory of a process, MB. */
export async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return (Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024) / 1e6;
}
