import { rm } from "node:fs/promises";
import { join } from "node:path";
import { SlipwayError } from "../common/errors.ts";
import { readTextIfExists, writeFileAtomic } from "../common/files.ts";
import type { Accelerator } from "./hypervisors/qemu/command.ts";

/** Which guests a cloud makes. `auto` takes real ones where they run at speed, else pretended ones. */
export type HypervisorChoice = "auto" | "nspawn" | "qemu" | "fake";

/** Guests' way out: none, or by this machine under its address. */
export type EgressChoice = "none" | "nat";

/** What a process that runs a cloud says of itself, in `daemon.json` below its state; a daemon also to the process that started it. */
export interface DaemonInfo {
  pid: number;
  /** The process is somebody's program that has the cloud in it (`slipway/cloud`), and no daemon that may be ended. */
  isProgram?: true;
  /** Tells the process from a later one of that id; one of an earlier version does not tell. */
  startTime?: string;
  authUrl: string;
  port: number;
  instance: string;
  hypervisor: Exclude<HypervisorChoice, "auto">;
  /** Why this hypervisor. */
  reason: string;
  /** What runs virtual machines. */
  accelerator?: Accelerator;
  /** What virtual machines are plugged into: the networks that containers have, or QEMU's own. */
  network?: "namespaces" | "user";
  /** With pretended guests in place of real ones: what to do so that real ones can run. */
  remedies?: string[];
  /** The images that it offers from its start, by name; one of an earlier version does not tell. */
  images?: string[];
  /** Guests' way out by this machine; one of an earlier version does not tell, and has none. */
  egress?: EgressChoice;
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
  /** The requests that were answered, a JSON object a line; the earlier ones beside it, see bounded-log.ts. */
  requests: join(stateDir, "requests.log"),
  /** The hypervisor's kind, once it was chosen. */
  hypervisor: join(stateDir, "hypervisor.json"),
  /** Is there once guests that run containers were asked for. */
  containers: join(stateDir, "containers"),
  /** What all guests are told, as JSON. */
  vendordata: join(stateDir, "vendordata.json"),
  /** The way out that guests were given last. */
  egress: join(stateDir, "egress"),
});

/** Tells who runs a cloud, from when it answers. The caller holds the state's lock, and removes it with {@link removeDaemonInfo}. */
export async function writeDaemonInfo(stateDir: string, info: DaemonInfo): Promise<void> {
  await writeFileAtomic(daemonFiles(stateDir).info, `${JSON.stringify(info, null, 2)}\n`);
}

/** While the lock is held: the next one's must not be taken away. */
export async function removeDaemonInfo(stateDir: string): Promise<void> {
  await rm(daemonFiles(stateDir).info, { force: true });
}

/** What the daemon wrote when it last started; it may be dead by now. */
export async function readDaemonInfo(stateDir: string): Promise<DaemonInfo | undefined> {
  const text = await readTextIfExists(daemonFiles(stateDir).info);
  return text === undefined ? undefined : (JSON.parse(text) as DaemonInfo);
}

/** The way out that guests get: the one that is asked for, else the one of the last start, else none; kept for the next start. */
export async function keptEgress(stateDir: string, wanted: EgressChoice | undefined): Promise<EgressChoice> {
  const path = daemonFiles(stateDir).egress;
  const kept = (await readTextIfExists(path))?.trim() === "nat" ? "nat" : "none";
  if (wanted !== undefined && wanted !== kept) await writeFileAtomic(path, `${wanted}\n`);
  return wanted ?? kept;
}

/** @throws SlipwayError E_UNSUPPORTED where other guests are asked for than the cloud has */
export function demandSame(existing: DaemonInfo["hypervisor"], wanted: HypervisorChoice): void {
  if (wanted === "auto" || wanted === existing) return;
  throw new SlipwayError("E_UNSUPPORTED", `this cloud has ${existing} guests and cannot change to ${wanted} ones`, {
    hint: "Run `slipway cloud destroy --yes` first: a cloud keeps the kind of guests that it was first started with.",
  });
}
