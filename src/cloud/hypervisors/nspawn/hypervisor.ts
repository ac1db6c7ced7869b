import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { namesIn, pathExists, readTextIfExists, writeFileAtomic } from "../../../common/files.ts";
import { Turns } from "../../../common/turns.ts";
import { waitFor } from "../../../common/wait.ts";
import { containersFolder } from "../../images/recipe.ts";
import { guestName, guestNamespace } from "../../network/linux/names.ts";
import { deleteNamespace, ensureNamespace, listNamespaces, netnsFolder } from "../../network/linux/netns.ts";
import { removeTree } from "../../store/remove.ts";
import { GuestWatch } from "../guest-watch.ts";
import type { GuestDisk, GuestSpec, GuestState, Hypervisor, ImageStore } from "../hypervisor.ts";
import {
  type CgroupMode,
  cgroupMode,
  freezeCgroup,
  guestCgroup,
  isPopulated,
  killCgroup,
  type Limits,
  limitBlockDevices,
  prepareCgroup,
  removeCgroup,
} from "./cgroups.ts";
import { readConsole } from "./console.ts";
import { CpuTurns, ownCpus } from "./cpus.ts";
import { type DiskOwner, grow, type PluggedDisk, plug, pluggedDisks, unplugAll, writeDiskView } from "./disks.ts";
import { isFrozen, thaw, thawGroup, whileGroupFrozen } from "./freeze.ts";
import {
  exitStatus,
  forgetRun,
  guestFiles,
  leaderOf,
  nspawnPid,
  readRun,
  writeConfigDrive,
  writeRun,
} from "./guest-folder.ts";
import { isFolderWithin } from "./guest-tree.ts";
import { hotPlug, hotUnplug, type RunningGuest } from "./hot-plug.ts";
import { type Launch, nspawnEnvironment, supervisorCommand } from "./launch.ts";
import { diskOf, ensureMounted, unmountBelow } from "./overlay.ts";
import { isAlive, markOf, signal, startDetached } from "./processes.ts";
import { mountRootVolume, rootVolumeLoop, unplugRootVolume } from "./root-volume.ts";
import { copyTree } from "./tree.ts";

export interface NspawnOptions {
  /** Carried in the names of all that is made; the same as the data plane's. */
  instance: string;
  /** The instance's folder; guests lie in `guests/<server id>` below it. */
  stateDir: string;
  images: ImageStore;
}

const startTimeoutMs = 20_000;
const hardStopTimeoutMs = 15_000;

/** Where a rescued guest finds its own disk, below its root. */
const rescuedFolder = "mnt/disk";

/** More than a busy host runs, fewer than would hurt the machine. */
const maxProcesses = 4096;

const limitsOf = ({ ramMb, vcpus }: Pick<GuestSpec, "ramMb" | "vcpus">, disks: PluggedDisk[] = []): Limits => ({
  memoryBytes: ramMb * 1024 * 1024,
  vcpus,
  processes: maxProcesses,
  blockDevices: disks.map(({ loop }) => loop.numbers),
});
const anyLimits = limitsOf({ ramMb: 512, vcpus: 1 }); // for finding a group: its place does not depend on them

/** A guest whose image runs containers keeps them in a folder of the machine. */
async function containerBinds(image: string, folder: string): Promise<string[]> {
  if (!(await isFolderWithin(image, containersFolder))) return [];
  await mkdir(folder, { recursive: true });
  return [`${folder}:/${containersFolder}`];
}

/**
 * Guests as systemd-nspawn containers with a full Debian inside: overlay disk over the image, config drive as a seed folder, limits by
 * cgroup, the network namespace that the data plane made. Each guest has a supervisor process of its own, so that guests neither end nor
 * stop rebooting when the daemon does. Disk size is not limited, and a guest sees the machine's total memory.
 */
export function createNspawnHypervisor({ instance, stateDir, images }: NspawnOptions): Hypervisor {
  const guests = join(stateDir, "guests");
  const folderOf = (id: string) => join(guests, encodeURIComponent(id));
  const ownerOf = (id: string): DiskOwner => ({ folder: folderOf(id), name: guestName(instance, id) });
  const cpuTurns = new CpuTurns();
  const turns = new Turns(); // one operation per guest at a time
  const watched = new GuestWatch({ turns, isRunning, cleanUp });
  let mode: Promise<CgroupMode> | undefined;
  const cgroups = () => {
    mode ??= cgroupMode();
    return mode;
  };

  async function isRunning(id: string): Promise<boolean> {
    const record = await readRun(folderOf(id));
    return record !== undefined && (await isAlive(record.supervisor));
  }

  /** After the guest's processes are gone: nothing of it is left but its folder. */
  async function cleanUp(id: string): Promise<void> {
    watched.delete(id);
    await killCgroup(guestCgroup(await cgroups(), instance, id, anyLimits));
    await removeCgroup(await cgroups(), instance, id);
    await unmountBelow(folderOf(id));
    await unplugAll(ownerOf(id));
    await unplugRootVolume(ownerOf(id));
    await rm(guestFiles(folderOf(id)).held, { force: true });
    await forgetRun(folderOf(id));
  }

  async function namespaceFor(spec: GuestSpec): Promise<string> {
    const name = guestNamespace(instance, spec.id);
    if (!(await listNamespaces(name)).includes(name)) {
      if (spec.nics.length > 0)
        throw new Error(`the network of server ${spec.id} is not plugged: no namespace ${name}`);
      await ensureNamespace(name);
    }
    return name;
  }

  async function boot(spec: GuestSpec): Promise<void> {
    if (await isRunning(spec.id)) return;
    await cleanUp(spec.id);
    const folder = folderOf(spec.id);
    const files = guestFiles(folder);
    const { name } = ownerOf(spec.id);
    const netns = await namespaceFor(spec);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await rm(files.exit, { force: true });
    const binds = await mountRoot(spec, folder);
    await writeConfigDrive(files.root, spec.configDrive);
    const disks: PluggedDisk[] = [];
    for (const disk of spec.disks) disks.push(await plug(ownerOf(spec.id), disk));
    await writeDiskView(ownerOf(spec.id), disks);
    const cgroup = await prepareCgroup(await cgroups(), instance, spec.id, limitsOf(spec, disks));
    const launch: Launch = {
      name,
      root: files.root,
      cpus: cpuTurns.take(spec.vcpus, await ownCpus()),
      netns: join(netnsFolder, netns),
      cgroupProcs: cgroup.procs,
      disks: files.disks,
      unifiedCgroup: cgroup.unified,
      binds,
      wrapper: cgroup.wrapper,
      pidFile: files.pid,
      exitFile: files.exit,
    };
    const supervisor = await startDetached(supervisorCommand(launch), files.console, nspawnEnvironment);
    await writeRun(folder, { supervisor });
    const payload = { ...cgroup, unified: join(cgroup.unified, "payload") };
    await waitFor(
      `guest ${spec.id} to start`,
      async () => {
        if (!(await isAlive(supervisor))) {
          const status = await exitStatus(folder);
          await cleanUp(spec.id);
          throw new Error(
            `the guest did not start (nspawn exit ${status ?? "unknown"}): ${await readConsole(files.console, 5)}`,
          );
        }
        return (await isPopulated(payload)) ? true : undefined;
      },
      { timeoutMs: startTimeoutMs, intervalMs: 20 },
    );
    watched.add(spec.id);
  }

  /**
   * Mounts what the guest runs from: a volume, its own disk or, to rescue it, a fresh one of another image, with its own as a folder inside.
   * @returns what is bound into the guest
   */
  async function mountRoot(spec: GuestSpec, folder: string): Promise<string[]> {
    const files = guestFiles(folder);
    const { name } = ownerOf(spec.id);
    await removeTree(files.rescue);
    if (spec.rootDisk !== undefined) {
      await mountRootVolume(ownerOf(spec.id), spec.rootDisk);
      return []; // its containers are kept in the volume: ext4 takes their overlays
    }
    const image = await images.pathOf(spec.imageId);
    await writeFileAtomic(files.image, image);
    const containers = await containerBinds(image, files.containers);
    if (spec.rescueImageId === undefined) {
      await ensureMounted(diskOf(folder, image), name);
      return containers;
    }
    await ensureMounted({ ...diskOf(folder, image), target: files.rescued }, name);
    const lower = await images.pathOf(spec.rescueImageId);
    await ensureMounted({ ...diskOf(files.rescue, lower), target: files.root }, name);
    return [`${files.rescued}:/${rescuedFolder}`, ...containers];
  }

  /** The image tree below a guest's disk, as its last boot noted it. */
  async function imageOf(folder: string): Promise<string> {
    const image = await readTextIfExists(guestFiles(folder).image);
    if (image === undefined) throw new Error("the guest never ran: it has no disk yet");
    return image;
  }

  /** Holds a guest or lets it go on; one that does not run is left alone. */
  async function hold(id: string, held: boolean): Promise<void> {
    if (await isRunning(id)) await freezeCgroup(guestCgroup(await cgroups(), instance, id, anyLimits), held);
  }

  const groupOf = async (id: string) => guestCgroup(await cgroups(), instance, id, anyLimits).unified;

  /** What of the guest's pages is above its volumes' files is brought there first. However whoever holds it ends, it goes on. */
  async function whileStill<T>(id: string, work: () => Promise<T>): Promise<T> {
    await letGo(id); // or it would be taken for paused
    if (!(await isRunning(id))) return work();
    const root = await rootVolumeLoop(ownerOf(id));
    const loops = [...(root === undefined ? [] : [root]), ...(await pluggedDisks(ownerOf(id))).map(({ loop }) => loop)];
    const devices = loops.map(({ name }) => `/dev/${name}`);
    const group = await groupOf(id);
    if (!(await isFrozen(group))) await writeFileAtomic(guestFiles(folderOf(id)).held, "");
    return whileGroupFrozen(group, devices, work).finally(() => letGo(id));
  }

  /** Lets a guest go on that was held for a copy of its disks, by processes which may all have been killed. */
  async function letGo(id: string): Promise<void> {
    const { held } = guestFiles(folderOf(id));
    if (!(await pathExists(held))) return;
    await thawGroup(await groupOf(id));
    await rm(held, { force: true });
  }

  /** Copies the guest's tree, as it was at one moment. */
  async function snapshot(id: string, target: string): Promise<number> {
    const folder = folderOf(id);
    const copy = () => copyTree(guestFiles(folder).root, target);
    if (await isRunning(id)) return whileStill(id, copy);
    await ensureMounted(diskOf(folder, await imageOf(folder)), ownerOf(id).name);
    return copy().finally(() => unmountBelow(folder));
  }

  /** Ends a guest's processes: politely first where asked, then at once. */
  async function end(id: string, how: { soft: boolean; timeoutMs: number }): Promise<void> {
    const folder = folderOf(id);
    watched.delete(id);
    const record = await readRun(folder);
    if (record !== undefined && (await isAlive(record.supervisor))) {
      const gone = async () => ((await isAlive(record.supervisor)) ? undefined : true);
      const wait = (timeoutMs: number) =>
        waitFor(`guest ${id} to end`, gone, { timeoutMs, intervalMs: 20, maxIntervalMs: 250 });
      if (how.soft) await hold(id, false); // who is held cannot shut down
      const nspawn = how.soft ? await markOf((await nspawnPid(folder)) ?? 0) : undefined;
      const asked = nspawn !== undefined && (await signal(nspawn, "SIGTERM")); // nspawn asks the guest to power off
      const endedSoftly = asked && (await wait(how.timeoutMs).catch(() => false));
      if (!endedSoftly) {
        await killCgroup(guestCgroup(await cgroups(), instance, id, anyLimits));
        await wait(hardStopTimeoutMs).catch(() => signal(record.supervisor, "SIGKILL"));
      }
    }
    await cleanUp(id);
  }

  function runningGuest(id: string): RunningGuest {
    const leader = async () => (await leaderOf(folderOf(id))) ?? ((await isRunning(id)) ? undefined : null);
    return {
      ...ownerOf(id),
      limitDevices: async (numbers) => limitBlockDevices(await cgroups(), instance, id, numbers),
      // a guest that just reboots has none for a moment
      leader: async () =>
        (await waitFor(`guest ${id} to start`, leader, { timeoutMs: startTimeoutMs, intervalMs: 20 })) ?? undefined,
    };
  }

  async function attachDisk(id: string, disk: GuestDisk): Promise<void> {
    if (await isRunning(id)) await hotPlug(runningGuest(id), disk);
  }

  async function detachDisk(id: string, device: string): Promise<void> {
    if (await isRunning(id)) await hotUnplug(runningGuest(id), device);
    else await unplugAll(ownerOf(id));
  }

  async function growDisk(id: string, { device }: GuestDisk): Promise<void> {
    if (await isRunning(id)) await grow(ownerOf(id), device); // what the guest runs from grows at its next boot
  }

  async function wipe(id: string): Promise<void> {
    await end(id, { soft: false, timeoutMs: 0 });
    await removeTree(folderOf(id));
  }

  async function destroy(id: string): Promise<void> {
    await wipe(id);
    const namespace = guestNamespace(instance, id);
    if ((await listNamespaces(namespace)).includes(namespace)) await deleteNamespace(namespace);
  }

  async function state(id: string): Promise<GuestState> {
    if (await isRunning(id)) return "running";
    return (await namesIn(guests)).includes(encodeURIComponent(id)) ? "stopped" : "absent";
  }

  async function recover(known: GuestSpec[]): Promise<void> {
    const knownIds = new Set(known.map(({ id }) => id));
    await thaw(instance);
    for (const entry of await namesIn(guests)) {
      const id = decodeURIComponent(entry);
      if (!knownIds.has(id)) await turns.run(id, () => destroy(id));
      else if (await isRunning(id)) {
        watched.add(id);
        await turns.run(id, () => letGo(id));
      } else if ((await readRun(folderOf(id))) !== undefined) watched.add(id); // ended unwatched: the next look cleans up and reports it
    }
  }

  return {
    kind: "nspawn",
    rescues: true,
    pause: (id) => turns.run(id, () => hold(id, true)),
    unpause: (id) => turns.run(id, () => hold(id, false)),
    whileStill: (id, work) => turns.run(id, () => whileStill(id, work)),
    snapshot: (id, target) => turns.run(id, () => snapshot(id, target)),
    boot: (spec) => turns.run(spec.id, () => boot(spec)),
    stop: (id, how) => turns.run(id, () => end(id, how)),
    wipe: (id) => turns.run(id, () => wipe(id)),
    destroy: (id) => turns.run(id, () => destroy(id)),
    attachDisk: (id, disk) => turns.run(id, () => attachDisk(id, disk)),
    detachDisk: (id, device) => turns.run(id, () => detachDisk(id, device)),
    growDisk: (id, disk) => turns.run(id, () => growDisk(id, disk)),
    state,
    console: (id, lines) => readConsole(guestFiles(folderOf(id)).console, lines),
    onExit: (listener) => watched.onExit(listener),
    recover,
    async close() {
      watched.close();
      await turns.idle();
    },
  };
}
