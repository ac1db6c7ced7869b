import { readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { isErrno } from "../common/errors.ts";
import { pathExists } from "../common/files.ts";
import { CommandError, run } from "../common/process.ts";
import { waitFor } from "../common/wait.ts";
import { removeGroup } from "./hypervisors/nspawn/cgroups.ts";
import { type Loop, listLoops, releaseLoop } from "./hypervisors/nspawn/loops.ts";
import { listMounts, unmount } from "./hypervisors/nspawn/overlay.ts";
import { isAlive, markOf, type ProcessMark, readProcess, signal } from "./hypervisors/nspawn/processes.ts";
import { balancerProgram } from "./loadbalancer/haproxy/engine.ts";
import { reservingTags, withdrawReservation } from "./network/linux/external-network.ts";
import { closeEgress, tagsWithEgress } from "./network/linux/machine-egress.ts";
import { hostLink, instanceTag, tagIn, tagInCgroup } from "./network/linux/names.ts";
import { deleteNamespace, listNamespaces } from "./network/linux/netns.ts";
import { networkPrograms } from "./network/linux/network-daemons.ts";
import { stateDirIn } from "./store/state.ts";

/** Something on the machine that carries an instance's tag. */
export interface Leftover {
  kind: "namespace" | "link" | "mount" | "loop" | "cgroup" | "process" | "range" | "folder" | "egress";
  /** Its name, mount point, path, loop device with file, or process id with command line. */
  name: string;
  /** The tag of the instance that made it. */
  tag: string;
  /** The folder of that instance's state, where the thing tells it. */
  stateDir?: string;
  /** A process that is no guest's but serves some: their networks, or as their load balancer. */
  serves?: true;
}

const cgroupMount = "/sys/fs/cgroup";
/** A process that was killed goes when the kernel has written what it had open. */
const endTimeoutMs = 30_000;

/** Everything on this machine that an instance of the embedded cloud made and that still exists. Empty is the proof of a teardown. */
export async function findLeftovers(instance: string): Promise<Leftover[]> {
  const tag = instanceTag(instance);
  return (await findEverything()).filter((leftover) => leftover.tag === tag);
}

/**
 * Removes what is left of an instance whose state is gone or whose daemon is dead; its folder is the caller's.
 * @param kept kinds of things that stay
 * @returns what it found of the others
 */
export async function removeLeftovers(instance: string, kept: Leftover["kind"][] = []): Promise<Leftover[]> {
  const found = (await findLeftovers(instance)).filter(({ kind }) => !kept.includes(kind));
  const of = (kind: Leftover["kind"]) => found.filter((each) => each.kind === kind).map(({ name }) => name);
  await endProcesses(instanceTag(instance)); // supervisors first, else they would start guests again
  for (const group of of("cgroup")) await killGroup(group);
  for (const group of of("cgroup")) await removeGroup(group);
  for (const target of of("mount").toReversed()) await unmount(target);
  for (const loop of await loopsOf(instanceTag(instance))) await releaseLoop(loop);
  for (const namespace of of("namespace")) await deleteNamespace(namespace);
  for (const link of of("link")) await deleteLink(link);
  if (of("egress").length > 0) await closeEgress(instance);
  if (of("range").length > 0) await withdrawReservation(instance);
  return found;
}

/** Everything on this machine that carries any instance's tag. */
export async function findEverything(): Promise<Leftover[]> {
  if (process.platform !== "linux") return [];
  const found = await Promise.all([
    namespaces(),
    linksOnMachine(),
    mounts(),
    loops(),
    cgroups(),
    processes(),
    ranges(),
    egresses(),
  ]);
  return found.flat();
}

const tagged = (kind: Leftover["kind"], names: string[], tagOf: (name: string) => string | undefined): Leftover[] =>
  names.flatMap((name) => {
    const tag = tagOf(name);
    return tag === undefined ? [] : { kind, name, tag };
  });

const namespaces = async () => tagged("namespace", await listNamespaces(""), tagIn);

async function linksOnMachine(): Promise<Leftover[]> {
  const names = await readdir("/sys/class/net");
  return tagged("link", names, (name) => (name === hostLink(tagIn(name) ?? "") ? tagIn(name) : undefined));
}

/** Guests run from overlays that carry their names, or from volumes. */
async function mounts(): Promise<Leftover[]> {
  const tagOfDevice = new Map((await listLoops()).map((loop) => [`/dev/${loop.name}`, tagOfLoop(loop)]));
  return (await listMounts()).flatMap(({ source, target, type }) => {
    const tag = type === "overlay" ? tagIn(source) : tagOfDevice.get(source);
    return tag === undefined ? [] : { kind: "mount" as const, name: target, tag, ...toldBy(target) };
  });
}

/** A guest's disks are loop devices of files that carry the guest's name. */
const tagOfLoop = ({ backingFile }: Loop) => tagIn(basename(backingFile));

const loopsOf = async (tag: string) => (await listLoops()).filter((loop) => tagOfLoop(loop) === tag);

async function loops(): Promise<Leftover[]> {
  return (await listLoops()).flatMap((loop) => {
    const tag = tagOfLoop(loop);
    if (tag === undefined) return [];
    const name = `/dev/${loop.name} ${loop.backingFile}`;
    return [{ kind: "loop" as const, name, tag, ...toldBy(loop.backingFile) }];
  });
}

/** Groups are looked for at the top of each hierarchy, and in the slices that systemd makes. */
async function cgroups(): Promise<Leftover[]> {
  const hierarchies = (await foldersIn(cgroupMount)).map((name) => join(cgroupMount, name));
  const found: Leftover[] = [];
  for (const parent of [cgroupMount, ...hierarchies]) {
    const paths = (await foldersIn(parent)).map((name) => join(parent, name));
    found.push(...tagged("cgroup", paths, (path) => tagInCgroup(basename(path).replace(/\.slice$/, ""))));
  }
  return found;
}

const toldBy = (path: string): Pick<Leftover, "stateDir"> => {
  const stateDir = stateDirIn(path);
  return stateDir === undefined ? {} : { stateDir };
};

interface TaggedProcess {
  mark: ProcessMark;
  leftover: Leftover;
}

/** They carry a network's or a balancer's name. */
const servers: readonly string[] = [...networkPrograms, balancerProgram];

/** Supervisors, nspawns, QEMUs and HAProxys carry the guest's name in their command line; what runs in a guest is in its cgroup. */
async function taggedProcesses(): Promise<TaggedProcess[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found = await Promise.all(
    pids.map(async (pid): Promise<TaggedProcess[]> => {
      const mark = await markOf(Number(pid)); // before the command line: a process that takes the id over has none of ours
      const words = (await readProcess(`/proc/${pid}/cmdline`)).split("\0");
      const name = words
        .map((word) => /^(?:--machine=)?(sw-[a-z0-9]{4,8}-[0-9a-f]{8})(?:-supervisor)?$/.exec(word)?.[1])
        .find(Boolean);
      const tag = name === undefined ? undefined : tagIn(name);
      if (mark === undefined || tag === undefined) return [];
      const told = words.map((word) => stateDirIn(word.replace(/^--directory=/, ""))).find(Boolean);
      const stateDir = told === undefined ? {} : { stateDir: await asSeenFromHere(mark.pid, told) };
      const [program = ""] = words;
      const serves = servers.includes(basename(program)) ? { serves: true as const } : {};
      return [{ mark, leftover: { kind: "process", name: `${pid} ${program} ${name}`, tag, ...stateDir, ...serves } }];
    }),
  );
  return found.flat();
}

/** A process's folder: one in a container, or with a /tmp of its own, has it elsewhere. */
async function asSeenFromHere(pid: number, path: string): Promise<string> {
  const throughIt = `/proc/${pid}/root${path}`;
  const exists = (one: string) => pathExists(one).catch(() => true); // what may not be looked at is there
  return (await exists(path)) || !(await exists(throughIt)) ? path : throughIt;
}

const processes = async () => (await taggedProcesses()).map(({ leftover }) => leftover);

/** Returns when they are gone: nothing may be removed beneath one. @throws SlipwayError E_TIMEOUT */
async function endProcesses(tag: string): Promise<void> {
  const marks = (await taggedProcesses()).filter(({ leftover }) => leftover.tag === tag).map(({ mark }) => mark);
  for (const mark of marks) await signal(mark, "SIGKILL");
  const gone = async () => ((await Promise.all(marks.map(isAlive))).includes(true) ? undefined : true);
  await waitFor("processes of the cloud to end", gone, { timeoutMs: endTimeoutMs, intervalMs: 10 });
}

const egresses = async () => (await tagsWithEgress()).map((tag): Leftover => ({ kind: "egress", name: tag, tag }));

const ranges = async () => (await reservingTags()).map((tag): Leftover => ({ kind: "range", name: tag, tag }));

async function foldersIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder, { withFileTypes: true }))
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENODEV")) return []; // removed while we look
    throw error;
  }
}

/** Only the unified hierarchy can end a whole group; in the others the same processes are gone then. */
async function killGroup(folder: string): Promise<void> {
  try {
    await writeFile(join(folder, "cgroup.kill"), "1");
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "EACCES") || isErrno(error, "EPERM")) return;
    throw error;
  }
  const empty = async () =>
    (await readProcess(join(folder, "cgroup.events"))).includes("populated 1") ? undefined : true;
  await waitFor(`the processes in ${folder} to end`, empty, { timeoutMs: 10_000, intervalMs: 10 });
}

async function deleteLink(link: string): Promise<void> {
  try {
    await run("ip", ["link", "delete", link]);
  } catch (error) {
    if (!(error instanceof CommandError && error.stderr.includes("Cannot find device"))) throw error;
  }
}
