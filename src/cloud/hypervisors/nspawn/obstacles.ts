import { access, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { CommandError, run } from "../../../common/process.ts";
import { cgroupMode } from "./cgroups.ts";
import { overlayOptions } from "./overlay.ts";

/** Something that real guests need and this machine does not give, and what to do about it. */
export interface Obstacle {
  what: string;
  /** A sentence in the imperative. */
  remedy: string;
}

/** Looks for obstacles of one kind. */
export type Look = (stateDir: string) => Promise<(Obstacle | undefined)[]>;

/** What no package mends, in levels: what a level finds missing makes those after it fail, so they are not looked at then. */
export const machineLevels: Look[] = [
  async () => [operatingSystem()],
  async () => [await user()],
  () => Promise.all([capabilities(), cgroups()]),
  (stateDir) => Promise.all([networkNamespace(), overlay(stateDir)]),
];

/** What the first level that finds something finds. */
export async function firstObstacles(levels: Look[], stateDir: string): Promise<Obstacle[]> {
  for (const look of levels) {
    const found = (await look(stateDir)).filter((obstacle) => obstacle !== undefined);
    if (found.length > 0) return found;
  }
  return [];
}

function operatingSystem(): Obstacle | undefined {
  if (process.platform === "linux") return undefined;
  return {
    what: `they need Linux, this is ${process.platform}`,
    remedy: "Use a Linux machine or virtual machine, or a real OpenStack with --os-cloud.",
  };
}

/** All ids of a user namespace that is the machine's own: it maps each to itself (user_namespaces(7)). */
const WHOLE_UID_MAP = /^\s*0\s+0\s+4294967295\s*$/;

async function user(): Promise<Obstacle | undefined> {
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0) {
    return { what: `they need root, this is user ${uid}`, remedy: "Run the same command as root, e.g. with sudo." };
  }
  if (WHOLE_UID_MAP.test(await readFile("/proc/self/uid_map", "utf8"))) return undefined;
  return {
    what: "they need the machine's root, this is root in a user namespace only (a rootless container?)",
    remedy: "Run the same command as the machine's own root.",
  };
}

/** Capabilities (bit in CapEff, see capabilities(7)) that making guests takes; containers usually lack them. */
const neededCapabilities = { CAP_NET_ADMIN: 12, CAP_SYS_CHROOT: 18, CAP_SYS_ADMIN: 21, CAP_MKNOD: 27 };

/** The names of the needed capabilities that a mask lacks. Pure. */
export function missingCapabilities(capEff: string): string[] {
  const mask = BigInt(`0x${capEff}`);
  return Object.entries(neededCapabilities)
    .filter(([, bit]) => (mask & (1n << BigInt(bit))) === 0n)
    .map(([name]) => name);
}

async function capabilities(): Promise<Obstacle | undefined> {
  const capEff = /^CapEff:\s*([0-9a-f]+)$/m.exec(await readFile("/proc/self/status", "utf8"))?.[1] ?? "0";
  const missing = missingCapabilities(capEff);
  if (missing.length === 0) return undefined;
  return (await inContainer())
    ? {
        what: `root lacks ${missing.join(", ")} in this container`,
        remedy: "Start the container privileged, e.g. with `docker run --privileged`.",
      }
    : { what: `root lacks ${missing.join(", ")}`, remedy: "Run the same command from a login of root." };
}

async function cgroups(): Promise<Obstacle | undefined> {
  const mode = await cgroupMode();
  if (mode.kind !== "unusable") return undefined;
  return {
    what: mode.reason,
    remedy: "Use a machine that systemd has booted: it sets the cgroups up.",
  };
}

async function networkNamespace(): Promise<Obstacle | undefined> {
  const problem = await failureOf("unshare", ["--net", "true"]);
  if (problem === undefined) return undefined;
  return {
    what: `a network namespace cannot be made (${problem})`,
    remedy: "Use a kernel with network namespaces, and a system whose security policy lets root make them.",
  };
}

async function overlay(stateDir: string): Promise<Obstacle | undefined> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const scratch = await mkdtemp(join(stateDir, "probe-"));
  const paths = {
    lower: join(scratch, "lower"),
    upper: join(scratch, "up"),
    work: join(scratch, "work"),
    target: join(scratch, "root"),
  };
  try {
    for (const path of Object.values(paths)) await mkdir(path);
    const mount = ["mount", "-t", "overlay", "overlay", "-o", overlayOptions(paths), paths.target];
    const problem = await failureOf("unshare", ["--mount", "--propagation", "private", ...mount]);
    if (problem === undefined) return undefined;
    return {
      what: `an overlay cannot be mounted in ${stateDir} (${problem})`,
      remedy: "Set SLIPWAY_HOME to a folder on another file system, e.g. ext4 or xfs.",
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The first line of what a failed command said; undefined for one that did not fail. */
export async function failureOf(command: string, args: string[], input?: string): Promise<string | undefined> {
  try {
    await run(command, args, input === undefined ? {} : { input });
    return undefined;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return error.stderr.trim().split("\n")[0] || error.message;
  }
}

async function inContainer(): Promise<boolean> {
  const inDocker = await access("/.dockerenv").then(
    () => true,
    () => false,
  );
  const init = await readFile("/proc/1/environ", "latin1").catch(() => ""); // hidden from us: then it is not known
  return inDocker || /(^|\0)container=/.test(init);
}
