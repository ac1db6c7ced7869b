import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chown, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { examineMachine, removeExamined } from "../../src/cloud/doctor.ts";
import { markOf } from "../../src/cloud/hypervisors/nspawn/processes.ts";
import {
  claimExternalNetwork,
  releaseExternalNetwork,
  reservations,
} from "../../src/cloud/network/linux/external-network.ts";
import { externalNamespace } from "../../src/cloud/network/linux/names.ts";
import {
  deleteNamespace,
  ensureNamespace,
  listNamespaces,
  processesInNamespace,
} from "../../src/cloud/network/linux/netns.ts";
import { lockState } from "../../src/cloud/store/lock.ts";
import { instanceOf, stateFiles } from "../../src/cloud/store/state.ts";
import { Store } from "../../src/cloud/store/store.ts";
import { removeTemporaryState } from "../../src/cloud/temporary-state.ts";

let folder: string;
let instance: string;
let children: ChildProcess[];
const machinesFolder = process.env.TMPDIR;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "slipway-doctor-")));
  instance = randomBytes(3).toString("hex");
  children = [];
});
afterEach(async () => {
  if (machinesFolder === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = machinesFolder;
  for (const child of children) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

/** A process whose command line is a virtual machine's, as far as the doctor reads it. It ends with this one's. */
async function machineOf(...words: string[]): Promise<ChildProcess> {
  return processOf("sh", "-name", `sw-${instance}-0123abcd`, ...words);
}
async function processOf(program: string, ...words: string[]): Promise<ChildProcess> {
  const child = spawn("sh", ["-c", "echo; read word", program, ...words], { argv0: program });
  children.push(child);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return child;
}
const inState = (stateDir: string) => ["-pidfile", join(stateDir, "guests", "a-server", "qemu.pid")];
const runs = (child: ChildProcess) => child.exitCode === null && child.signalCode === null;

/** A state as its first start makes it. */
async function makeState(stateDir: string): Promise<void> {
  await mkdir(stateDir, { recursive: true });
  const { database, lock } = stateFiles(stateDir);
  const store = new Store(database);
  store.setSetting("instance", instance);
  expect(instanceOf(store)).toBe(instance);
  store.close();
  lockState(lock).release();
}

const nothing = { removed: [], left: [] };
const examined = async () => (await examineMachine()).find(({ tag }) => tag === instance);

describe.runIf(process.platform === "linux")("virtual machines", () => {
  it("are let be while their cloud runs, and when it was stopped", async () => {
    const stateDir = join(folder, "cloud");
    await makeState(stateDir);
    const child = await machineOf(...inState(stateDir));
    const lock = lockState(stateFiles(stateDir).lock);
    expect(await examined()).toMatchObject({ condition: "running", stateDir, removable: [] });
    lock.release();
    expect(await examined()).toMatchObject({ condition: "stopped", stateDir, removable: [] });
    expect(runs(child)).toBe(true);
  });

  it("are let be where nothing tells whose they are, or what it tells of is no state of theirs", async () => {
    const child = await machineOf();
    expect(await examined()).toMatchObject({ condition: "unknown", removable: [] });
    const other = join(folder, "other");
    await mkdir(other);
    await writeFile(stateFiles(other).database, "no database at all");
    const another = await machineOf(...inState(other));
    expect(await examined()).toMatchObject({ condition: "unknown", stateDir: other, removable: [] });
    expect([runs(child), runs(another)]).toEqual([true, true]);
  });

  it("are let be where one of two states that they tell of is there", async () => {
    const stateDir = join(folder, "cloud");
    await makeState(stateDir);
    await machineOf(...inState(join(folder, "gone")));
    await machineOf(...inState(stateDir));
    expect(await examined()).toMatchObject({ condition: "stopped", stateDir, removable: [] });
  });

  it("end where their state is gone, and are gone when that is said", async () => {
    const child = await machineOf(...inState(join(folder, "gone")));
    const found = await examined();
    expect(found).toMatchObject({ condition: "gone", removable: [{ kind: "process" }] });
    if (found !== undefined) expect(await removeExamined(found)).toEqual({ removed: found.removable, left: [] });
    expect(await markOf(child.pid ?? 0)).toBeUndefined();
    expect(await examined()).toBeUndefined();
  });

  it("are let be where their state is there again when they would be ended", async () => {
    const stateDir = join(folder, "moved");
    const child = await machineOf(...inState(stateDir));
    const found = await examined();
    expect(found).toMatchObject({ condition: "gone", removable: [{ kind: "process" }] });
    await makeState(stateDir);
    if (found !== undefined) expect(await removeExamined(found)).toEqual(nothing);
    expect(runs(child)).toBe(true);
  });
});

describe.runIf(process.platform === "linux" && process.getuid?.() === 0)("what a dead cloud left", () => {
  const stateDir = () => join(folder, "cloud");
  const namespace = () => externalNamespace(instance);
  beforeEach(async () => {
    await makeState(stateDir());
    // the machine's note of its range tells where its state is
    await claimExternalNetwork({ instance, stateDir: stateDir() });
    const { record, cidr } = (await reservations()).get(instance) ?? { record: "", cidr: "" };
    await writeFile(join("/run/slipway/ranges", `${instance}.json`), JSON.stringify({ record, cidr }));
    await ensureNamespace(namespace());
  });
  afterEach(async () => {
    await deleteNamespace(namespace());
    await releaseExternalNetwork(instance, stateDir());
  });
  const examinedDead = async () => {
    const found = await examined();
    if (found === undefined) throw new Error("the doctor does not see it");
    expect(found).toMatchObject({ condition: "dead", removable: [{ kind: "namespace", name: namespace() }] });
    return found;
  };

  it("may go by itself while it is looked at", async () => {
    const found = await examinedDead();
    await deleteNamespace(namespace());
    expect(await processesInNamespace(namespace())).toEqual([]);
    expect(await removeExamined(found)).toEqual(nothing);
  });

  it("goes, and its range stays its own", async () => {
    const found = await examinedDead();
    expect(await removeExamined(found)).toEqual({ removed: found.removable, left: [] });
    expect(await examined()).toMatchObject({ condition: "dead", found: [{ kind: "range" }] });
  });

  it("is dead while only what served its guests runs, and that goes too", async () => {
    const servers = await Promise.all(
      ["radvd", "/usr/sbin/dnsmasq", "haproxy"].map((program) => processOf(program, "-C", `sw-${instance}-0123abcd`)),
    );
    const found = await examined();
    expect(found).toMatchObject({ condition: "dead" });
    if (found !== undefined) expect(await removeExamined(found)).toEqual({ removed: found.removable, left: [] });
    for (const { pid } of servers) expect(await markOf(pid ?? 0)).toBeUndefined();
  });

  it("is let be where its lock cannot be taken, and nothing shows that nobody has it", async () => {
    const found = await examinedDead();
    const { lock } = stateFiles(stateDir());
    await rm(lock);
    await mkdir(lock);
    expect(await removeExamined(found)).toEqual(nothing);
    expect(await listNamespaces(namespace())).toEqual([namespace()]);
  });

  it("is let be where it was started meanwhile, also where it was stopped again and left its guests", async () => {
    const found = await examinedDead();
    const lock = lockState(stateFiles(stateDir()).lock);
    expect(await removeExamined(found)).toEqual(nothing);
    lock.release();
    const child = await machineOf(...inState(stateDir()));
    expect(await removeExamined(found)).toEqual(nothing);
    expect(runs(child)).toBe(true);
    expect(await listNamespaces(namespace())).toEqual([namespace()]);
  });
});

describe.runIf(process.platform === "linux")("temporary clouds", () => {
  /** Its name tells of a process that had this one's id before. */
  const dead = (parent: string, letters = "AAAAAA") => join(parent, `slipway-cloud-${process.pid}-1-${letters}`);
  beforeEach(() => {
    process.env.TMPDIR = folder;
  });

  it("of a dead process go, unless another one has their lock", async () => {
    const stateDir = dead(folder);
    await makeState(stateDir);
    const child = await machineOf(...inState(stateDir));
    const lock = lockState(stateFiles(stateDir).lock);
    expect(await examined()).toMatchObject({ condition: "running", removable: [] });
    lock.release();
    const found = await examined();
    expect(found).toMatchObject({ condition: "gone", removable: [{ kind: "process" }, { kind: "folder" }] });
    expect(runs(child)).toBe(true);
    if (found !== undefined) expect(await removeExamined(found)).toEqual({ removed: found.removable, left: [] });
    expect(await examined()).toBeUndefined();
  });

  it("that hold anything else do not end the doctor, and other people's and links are none", async () => {
    const garbage = dead(folder, "BBBBBB");
    await mkdir(garbage);
    for (const file of [stateFiles(garbage).database, stateFiles(garbage).lock]) await writeFile(file, "no database");
    const elsewhere = join(folder, "elsewhere");
    await makeState(elsewhere);
    await symlink(elsewhere, dead(folder, "CCCCCC"));
    if (process.getuid?.() === 0) {
      await mkdir(dead(folder, "DDDDDD"));
      await chown(dead(folder, "DDDDDD"), 65_534, 65_534);
    }
    const folders = (await examineMachine()).flatMap(({ found }) => found.filter(({ kind }) => kind === "folder"));
    expect(folders.map(({ name }) => name)).toEqual([garbage]);
  });

  it("whose start failed leave nothing on the machine", async () => {
    const stateDir = dead(folder);
    await makeState(stateDir);
    await machineOf(...inState(stateDir));
    await removeTemporaryState(stateDir);
    expect(await examined()).toBeUndefined();
  });
});
