import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { access, mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isErrno } from "../../../common/errors.ts";
import { readTextIfExists } from "../../../common/files.ts";
import { waitFor } from "../../../common/wait.ts";
import { guestName, instanceCgroup } from "../../network/linux/names.ts";
import { limitDisksOfGroup, limitDisksOfScope, scopeDeviceRules, v1DeviceRules } from "./device-access.ts";

/** What a guest may use. */
export interface Limits {
  memoryBytes: number;
  vcpus: number;
  processes: number;
  /** Block devices that it may open and make nodes of, by their numbers: `7:3`. */
  blockDevices: string[];
}

/** A guest's place in the cgroup hierarchies. */
export interface GuestCgroup {
  /** Folder in the unified hierarchy; it exists while the guest runs. */
  unified: string;
  /** Files that the guest's first process writes itself to. */
  procs: string[];
  /** Command that starts the guest inside its group, where systemd makes it. */
  wrapper: string[];
}

/** How this machine's cgroups can hold guests. */
export type CgroupMode =
  /** Controllers in v1 hierarchies and an empty v2 one at `unified`; nobody else owns the tree. */
  | { kind: "v1" }
  /** v2 only, owned by systemd: each guest is a scope. */
  | { kind: "systemd" }
  | { kind: "unusable"; reason: string };

const mount = "/sys/fs/cgroup";
const v1Unified = join(mount, "unified");
const v1Controllers = ["memory", "cpu", "cpuacct", "pids", "devices"] as const;

const cpuPeriodUs = 100_000;

/** What a process weighs beside others, and the most that a v1 group may (kernel/sched/sched.h). */
const processShares = 1024;
const mostShares = 262_144;

export async function cgroupMode(): Promise<CgroupMode> {
  const exists = (path: string) =>
    access(path).then(
      () => true,
      () => false,
    );
  if (await exists(join(mount, "cgroup.controllers"))) {
    if (await exists("/run/systemd/system")) return { kind: "systemd" };
    return { kind: "unusable", reason: "cgroup v2 without systemd as PID 1: device access cannot be limited" };
  }
  if (!(await exists(join(v1Unified, "cgroup.procs"))))
    return { kind: "unusable", reason: `no cgroup v2 hierarchy at ${v1Unified}` };
  for (const controller of v1Controllers) {
    if (!(await exists(join(mount, controller, "tasks"))))
      return { kind: "unusable", reason: `no cgroup v1 controller ${controller}` };
  }
  return { kind: "v1" };
}

/** Values to write by file name, for a v1 controller. Pure. */
export function v1Settings(limits: Limits): Record<(typeof v1Controllers)[number], [file: string, value: string][]> {
  return {
    memory: [["memory.limit_in_bytes", String(limits.memoryBytes)]],
    cpu: [
      ["cpu.cfs_period_us", String(cpuPeriodUs)],
      ["cpu.cfs_quota_us", String(limits.vcpus * cpuPeriodUs)],
      ["cpu.shares", String(limits.vcpus * processShares)],
    ],
    cpuacct: [],
    pids: [["pids.max", String(limits.processes)]],
    devices: v1DeviceRules(limits.blockDevices),
  };
}

/** `systemd-run` arguments that start a command in a scope with these limits. Pure. */
export function scopeCommand(scope: string, slice: string, limits: Limits): string[] {
  const properties = [
    "Delegate=yes",
    `MemoryMax=${limits.memoryBytes}`,
    `CPUQuota=${limits.vcpus * 100}%`,
    `TasksMax=${limits.processes}`,
    "DevicePolicy=closed",
    ...scopeDeviceRules([]), // the guest's disks are added at each of its starts
  ];
  return [
    "systemd-run",
    "--scope",
    "--quiet",
    "--collect",
    `--unit=${scope}`,
    `--slice=${slice}`,
    ...properties.flatMap((p) => ["-p", p]),
  ];
}

/** Lets a running guest open these block devices from now on, and no others. */
export async function limitBlockDevices(
  mode: CgroupMode,
  instance: string,
  serverId: string,
  numbers: string[],
): Promise<void> {
  if (mode.kind === "systemd") await limitDisksOfScope(guestName(instance, serverId), numbers);
  else await limitDisksOfGroup(join(mount, "devices", pathOf(instance, serverId)), numbers);
}

/** Makes the guest's groups with their limits, before anything runs in them. */
export async function prepareCgroup(
  mode: CgroupMode,
  instance: string,
  serverId: string,
  limits: Limits,
): Promise<GuestCgroup> {
  const cgroup = guestCgroup(mode, instance, serverId, limits);
  if (mode.kind !== "v1") return cgroup;
  for (const folder of v1Folders(instance, serverId)) await mkdir(folder, { recursive: true });
  for (const [controller, settings] of Object.entries(v1Settings(limits))) {
    for (const [file, value] of settings)
      await writeFile(join(mount, controller, pathOf(instance, serverId), file), value);
  }
  weighGuests(instance);
  return cgroup;
}

/**
 * Lets the instance's group weigh what its guests do together. With a group's usual weight all guests of a cloud would get as much of a
 * busy machine as one process, and boot several times as slowly. Not interrupted, so that no two undo each other's.
 */
function weighGuests(instance: string): void {
  const group = join(mount, "cpu", instanceCgroup(instance));
  try {
    const guests = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const shares = guests.map(({ name }) => Number(readFileSync(join(group, name, "cpu.shares"), "utf8")));
    const together = shares.reduce((sum, each) => sum + each, 0);
    writeFileSync(join(group, "cpu.shares"), String(Math.min(Math.max(together, processShares), mostShares)));
  } catch (error) {
    if (!isErrno(error, "ENOENT") && !isErrno(error, "ENODEV")) throw error; // the last guest's went with the instance's
  }
}

/** The group of all guests of an instance in the unified hierarchy, whether it exists or not. */
export function instanceGroup(mode: Exclude<CgroupMode, { kind: "unusable" }>, instance: string): string {
  return mode.kind === "v1"
    ? join(v1Unified, instanceCgroup(instance))
    : join(mount, "slipway.slice", sliceOf(instance));
}

const sliceOf = (instance: string) => `${instanceCgroup(instance)}.slice`;

/** Where the guest's groups are, whether they exist or not. */
export function guestCgroup(mode: CgroupMode, instance: string, serverId: string, limits: Limits): GuestCgroup {
  if (mode.kind === "unusable") throw new Error(mode.reason);
  if (mode.kind === "v1") {
    const folders = v1Folders(instance, serverId);
    return { unified: folders[0] as string, procs: folders.map((folder) => join(folder, "cgroup.procs")), wrapper: [] };
  }
  const scope = guestName(instance, serverId);
  return {
    unified: join(instanceGroup(mode, instance), `${scope}.scope`),
    procs: [],
    wrapper: scopeCommand(scope, sliceOf(instance), limits),
  };
}

/** Whether any process is in the guest's group or below. */
export async function isPopulated(cgroup: GuestCgroup): Promise<boolean> {
  try {
    return (await readFile(join(cgroup.unified, "cgroup.events"), "utf8")).includes("populated 1");
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENODEV")) return false;
    throw error;
  }
}

/** Whether any process is in a group or below it, in a hierarchy of either version. */
export async function holdsProcesses(folder: string): Promise<boolean> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENODEV")) return [];
    throw error;
  });
  if (((await readTextIfExists(join(folder, "cgroup.procs"))) ?? "").trim() !== "") return true;
  for (const entry of entries) if (entry.isDirectory() && (await holdsProcesses(join(folder, entry.name)))) return true;
  return false;
}

/** Ends every process in the group at once, and returns when they are gone. @throws SlipwayError E_TIMEOUT after 10 s */
export async function killCgroup(cgroup: GuestCgroup): Promise<void> {
  if (!(await isPopulated(cgroup))) return;
  await writeFile(join(cgroup.unified, "cgroup.kill"), "1");
  const empty = async () => ((await isPopulated(cgroup)) ? undefined : true);
  await waitFor(`the processes in ${cgroup.unified} to end`, empty, { timeoutMs: 10_000, intervalMs: 10 });
}

/**
 * Holds every process in the group, or lets them go on; returns once that is so. The v2 hierarchy does it, in either mode.
 * @throws SlipwayError E_TIMEOUT after 10 s
 */
export async function freezeCgroup({ unified }: GuestCgroup, held: boolean): Promise<void> {
  await writeFile(join(unified, "cgroup.freeze"), held ? "1" : "0");
  const wanted = held ? "frozen 1" : "frozen 0";
  const reached = async () =>
    (await readFile(join(unified, "cgroup.events"), "utf8")).includes(wanted) ? true : undefined;
  await waitFor(`the processes in ${unified} to be ${held ? "held" : "let go"}`, reached, {
    timeoutMs: 10_000,
    intervalMs: 5,
  });
}

/** Removes the guest's empty groups, and the instance's when this was its last guest. */
export async function removeCgroup(mode: CgroupMode, instance: string, serverId: string): Promise<void> {
  if (mode.kind !== "v1") return; // systemd removes a scope when it is empty
  // nspawn makes the same path in systemd's own v1 hierarchy, where there is one
  const folders = [...v1Folders(instance, serverId), join(mount, "systemd", pathOf(instance, serverId))];
  for (const folder of folders) await removeGroup(folder);
  for (const folder of folders) await removeEmpty(dirname(folder));
  weighGuests(instance);
}

/** Removes a group with all groups below it; they must hold no process. */
export async function removeGroup(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  });
  for (const entry of entries) if (entry.isDirectory()) await removeGroup(join(folder, entry.name));
  await removeEmpty(folder);
}

async function removeEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    const expected = ["ENOENT", "ENOTEMPTY", "EBUSY"].some((code) => isErrno(error, code)); // gone, or other guests are in it
    if (!expected) throw error;
  }
}

const pathOf = (instance: string, serverId: string) => join(instanceCgroup(instance), guestName(instance, serverId));

/** The unified hierarchy first. */
const v1Folders = (instance: string, serverId: string) =>
  [v1Unified, ...v1Controllers.map((controller) => join(mount, controller))].map((hierarchy) =>
    join(hierarchy, pathOf(instance, serverId)),
  );
