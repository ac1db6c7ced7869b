import { join } from "node:path";
import { readTextIfExists } from "../common/files.ts";

/** Which guests a cloud makes. `auto` takes real ones where they can run, else pretended ones. */
export type HypervisorChoice = "auto" | "nspawn" | "fake";

/** What a running daemon says of itself, in `daemon.json` below its state and to the process that started it. */
export interface DaemonInfo {
  pid: number;
  authUrl: string;
  port: number;
  instance: string;
  hypervisor: Exclude<HypervisorChoice, "auto">;
  /** Why this hypervisor. */
  reason: string;
  /** RFC 3339. */
  startedAt: string;
}

/** What the daemon tells its starter over the IPC channel. */
export type DaemonMessage =
  | { type: "ready"; info: DaemonInfo }
  | { type: "failed"; code: string | undefined; message: string; hint: string | undefined; details: string[] };

export const daemonFiles = (stateDir: string) => ({
  info: join(stateDir, "daemon.json"),
  log: join(stateDir, "daemon.log"),
  /** Holds the hypervisor's kind once it was chosen: a cloud keeps the guests that it has. */
  hypervisor: join(stateDir, "hypervisor"),
});

/** What the daemon wrote when it last started; it may be dead by now. */
export async function readDaemonInfo(stateDir: string): Promise<DaemonInfo | undefined> {
  const text = await readTextIfExists(daemonFiles(stateDir).info);
  return text === undefined ? undefined : (JSON.parse(text) as DaemonInfo);
}
