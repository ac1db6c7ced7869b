import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../../common/errors.ts";
import { namesIn, pathExists } from "../../../common/files.ts";
import { run } from "../../../common/process.ts";
import { Turns } from "../../../common/turns.ts";
import { waitFor } from "../../../common/wait.ts";
import { guestName } from "../../network/linux/names.ts";
import { GuestWatch } from "../guest-watch.ts";
import type { GuestDisk, GuestSpec, GuestState, Hypervisor, ImageStore } from "../hypervisor.ts";
import { readConsole } from "../nspawn/console.ts";
import { isAlive, type ProcessMark, signal, startDetached } from "../nspawn/processes.ts";
import { type Accelerator, diskDevice, diskNode, netdevOf, nodeOf, type QemuGuest, qemuCommand } from "./command.ts";
import { type Forward, ruleOf } from "./forwards.ts";
import { forgetRun, guestFiles, monitorOf, type RunRecord, readRun, writeRun } from "./guest-files.ts";
import type { GuestNetwork } from "./guest-network.ts";
import { whileGuestsHeld } from "./held.ts";
import { inspectImage } from "./image-format.ts";
import { isoImage } from "./iso9660.ts";
import { LeadIns } from "./lead-ins.ts";
import { machineProcesses } from "./machine-processes.ts";
import { plugNic, unplugNic } from "./nics.ts";
import { Qmp } from "./qmp.ts";
import { takeOut } from "./unplug.ts";

export interface QemuOptions {
  /** Carried in the guests' names. */
  instance: string;
  /** The instance's folder; guests lie in `guests/<server id>` below it. */
  stateDir: string;
  images: ImageStore;
  network: GuestNetwork;
  accelerator: Accelerator;
  log: (line: string) => void;
}

/** How a guest is ended: asked to shut down and given so long, or by force. */
type HowToEnd = Parameters<Hypervisor["stop"]>[1];

const atOnce: HowToEnd = { soft: false, timeoutMs: 0 };
const startTimeoutMs = 20_000;
const killTimeoutMs = 15_000;
/** Nobody writes meanwhile, so that it is as fast as the machine's disk. */
const copyTimeoutMs = 10 * 60_000;
/** `sun_path` of unix(7), the shortest of the systems'. */
const longestSocketPath = 103;
const gib = 1024 ** 3;

const qemuEnvironment = { PATH: process.env.PATH, LC_ALL: "C.UTF-8" };

/**
 * Guests as virtual machines of QEMU: a qcow2 disk over the image, the config drive as a CD. A guest is a process that outlives the daemon, and
 * is found again by its id and its monitor's socket.
 */
export function createQemuHypervisor(options: QemuOptions): Hypervisor {
  const { instance, stateDir, images, network, accelerator, log } = options;
  const guests = join(stateDir, "guests");
  const folderOf = (id: string) => join(guests, encodeURIComponent(id));
  const turns = new Turns(); // one operation per guest at a time: its monitor talks to one
  const watched = new GuestWatch({ turns, isRunning, cleanUp });
  const leadIns = new LeadIns({ turns, leadIn, log });
  const monitorFor = (id: string) => monitorOf(stateDir, instance, id);

  async function isRunning(id: string): Promise<boolean> {
    const record = await readRun(folderOf(id));
    return record !== undefined && (await isAlive(record.process));
  }

  async function cleanUp(id: string): Promise<void> {
    watched.delete(id);
    await forgetRun(folderOf(id));
    await rm(monitorFor(id), { force: true });
  }

  /** The processes of a guest: as noted, else, since the daemon may have been killed before it noted it, as found. */
  async function processesOf(id: string): Promise<ProcessMark[]> {
    const record = await readRun(folderOf(id));
    const isNoted = record !== undefined && (await isAlive(record.process));
    return isNoted ? [record.process] : machineProcesses(guestName(instance, id), id);
  }

  async function boot(spec: GuestSpec): Promise<void> {
    const { id } = spec;
    if (await isRunning(id)) return;
    await end(id, atOnce); // one whose start was not noted: its disk would be locked
    const folder = folderOf(id);
    const files = guestFiles(folder);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const disk = await diskFor(spec, files);
    await writeFile(files.configDrive, isoImage("config-2", spec.configDrive), { mode: 0o600 });
    const monitor = monitorFor(id);
    if (Buffer.byteLength(monitor) > longestSocketPath)
      throw new Error(`The path of the cloud's state is too long: ${monitor}`);
    const { nics, within } = await network.plug(spec);
    const command = qemuCommand({
      ...{ name: guestName(instance, id), uuid: id, accelerator, vcpus: spec.vcpus, ramMb: spec.ramMb },
      ...{ ...disk, configDrive: files.configDrive, disks: spec.disks, nics },
      ...{ console: files.console, monitor, pidFile: files.pid },
    });
    await rm(files.log, { force: true });
    const process = await startDetached([...within, ...command], files.log, qemuEnvironment);
    await writeRun(folder, { process, forwards: [], nics: nics.map(({ portId }) => portId) });
    const answers = async () => {
      if (!(await isAlive(process))) {
        await cleanUp(id);
        throw new Error(`the guest did not start: ${await readConsole(files.log, 5)}`);
      }
      return session(id, async () => true).catch(() => undefined); // its socket is there a moment before it listens
    };
    await waitFor(`guest ${id} to start`, answers, { timeoutMs: startTimeoutMs, intervalMs: 10 });
    watched.add(id); // first: a plan that comes meanwhile is for it too
    await leadIn(id).catch(() => leadIns.renew([id])); // the guest runs: what is not there yet is no reason to say that it does not
  }

  /** What a guest runs from: a volume, its own disk or, to rescue it, a fresh one of another image, with its own beside. */
  async function diskFor(
    spec: GuestSpec,
    files: ReturnType<typeof guestFiles>,
  ): Promise<Pick<QemuGuest, "root" | "rescued">> {
    await rm(files.rescue, { force: true });
    if (spec.rootDisk !== undefined) return { root: spec.rootDisk };
    await ensureDisk(files.root, await images.pathOf(spec.imageId), spec.diskGb);
    if (spec.rescueImageId === undefined) return { root: files.root };
    await ensureDisk(files.rescue, await images.pathOf(spec.rescueImageId), 0);
    return { root: files.rescue, rescued: files.root };
  }

  /** Makes what leads into a running guest be what the plan says. */
  async function leadIn(id: string): Promise<void> {
    const record = await readRun(folderOf(id));
    if (record === undefined || !(await isAlive(record.process))) return;
    await network.rejoin(id);
    await changeForwards(id, await plugMissing(id, record));
  }

  /** Plugs in what the guest has not yet of its NICs; what cannot be is told, and there from the next boot or change. */
  async function plugMissing(id: string, record: RunRecord): Promise<RunRecord> {
    const has = record.nics;
    const missing = has === undefined ? [] : network.nicsOf(id).filter(({ portId }) => !has.includes(portId));
    const plugged: string[] = [];
    for (const nic of missing) {
      try {
        const { nics } = await network.plug({ id, nics: [nic] });
        await session(id, async (qmp) => {
          for (const each of nics) await plugNic(qmp, each);
        });
        plugged.push(nic.portId);
      } catch (error) {
        if (!(await isAlive(record.process))) break; // its end is told elsewhere
        log(`server ${id}: the NIC of port ${nic.portId} is not plugged in: ${messageOf(error)}`);
      }
    }
    if (plugged.length === 0) return record;
    const now = { ...record, nics: [...(has ?? []), ...plugged] };
    await writeRun(folderOf(id), now);
    return now;
  }

  async function changeForwards(id: string, record: RunRecord): Promise<void> {
    const wanted = network.forwardsOf(id);
    const key = (forward: Forward) => `${forward.portId} ${ruleOf(forward)}`;
    const has = new Map(record.forwards.map((forward) => [key(forward), forward]));
    const wants = new Map(wanted.map((forward) => [key(forward), forward]));
    if (has.size === wants.size && [...has.keys()].every((each) => wants.has(each))) return;
    const change = session(id, async (qmp) => {
      for (const [each, forward] of has) {
        if (wants.has(each)) continue;
        const { protocol, hostAddress, hostPort } = forward;
        await qmp.say(`hostfwd_remove ${netdevOf(forward.portId)} ${protocol}:${hostAddress}:${hostPort}`);
        has.delete(each);
      }
      for (const [each, forward] of wants) {
        if (has.has(each)) continue;
        const refusal = await qmp.say(`hostfwd_add ${netdevOf(forward.portId)} ${ruleOf(forward)}`);
        if (refusal === "") has.set(each, forward);
        else log(`server ${id}: ${ruleOf(forward)} leads nowhere: ${refusal}`);
      }
    });
    try {
      await change;
    } catch (error) {
      if (!(await isAlive(record.process))) return; // its end is told elsewhere
      throw error;
    } finally {
      await writeRun(folderOf(id), { ...record, forwards: [...has.values()] });
    }
  }

  async function end(id: string, how: HowToEnd): Promise<void> {
    watched.delete(id);
    for (const process of await processesOf(id)) await endProcess(id, process, how);
    await cleanUp(id);
  }

  async function endProcess(id: string, process: ProcessMark, how: HowToEnd): Promise<void> {
    const wait = (timeoutMs: number) => waitForEnd(id, process, timeoutMs);
    const ask = (command: string) =>
      session(id, (qmp) => qmp.execute(command)).then(
        () => true,
        () => false,
      );
    const pressed = how.soft && (await ask("cont")) && (await ask("system_powerdown")); // who is held cannot shut down
    const softly = pressed && (await wait(how.timeoutMs).catch(() => false));
    if (softly) return;
    const ended = (await ask("quit")) && (await wait(2_000).catch(() => false));
    if (!ended) await signal(process, "SIGKILL");
    await wait(killTimeoutMs);
  }

  const session = <T>(id: string, work: (qmp: Qmp) => Promise<T>) => Qmp.session(monitorFor(id), work);

  async function attachDisk(id: string, disk: GuestDisk): Promise<void> {
    if (!(await isRunning(id))) return;
    await session(id, async (qmp) => {
      const nodes = (await qmp.execute("query-named-block-nodes", { flat: true })) as { "node-name": string }[];
      if (nodes.some((node) => node["node-name"] === nodeOf(disk.device))) return;
      await qmp.execute("blockdev-add", diskNode(disk));
      try {
        await qmp.execute("device_add", diskDevice(disk));
      } catch (error) {
        await qmp.execute("blockdev-del", { "node-name": nodeOf(disk.device) });
        throw error;
      }
    });
  }

  async function detachDisk(id: string, device: string): Promise<void> {
    if (!(await isRunning(id))) return;
    await session(id, async (qmp) => {
      const nodes = (await qmp.execute("query-named-block-nodes", { flat: true })) as { "node-name": string }[];
      if (!nodes.some((node) => node["node-name"] === nodeOf(device))) return;
      await takeOut(qmp, device);
      await qmp.execute("blockdev-del", { "node-name": nodeOf(device) });
    });
  }

  async function takeOutNic(id: string, portId: string): Promise<void> {
    const record = await readRun(folderOf(id));
    if (record?.nics?.includes(portId) !== true || !(await isAlive(record.process))) return;
    if (network.nicsOf(id).some((nic) => nic.portId === portId)) return; // it was plugged in again meanwhile
    // noted before: one that is there and not noted is found when it is plugged in again, one that is noted and not there is not
    await writeRun(folderOf(id), { ...record, nics: record.nics.filter((each) => each !== portId) });
    await session(id, (qmp) => unplugNic(qmp, portId));
  }

  /** Holds a guest or lets it go on; one that does not run is left alone. */
  async function hold(id: string, held: boolean): Promise<void> {
    if (await isRunning(id)) await session(id, (qmp) => qmp.execute(held ? "stop" : "cont"));
  }

  /** Copies the guest's disk, as it was at one moment. */
  async function snapshot(id: string, target: string): Promise<number> {
    const { root } = guestFiles(folderOf(id));
    if (!(await pathExists(root))) throw new Error("the guest never ran: it has no disk yet");
    const copy = () =>
      // the disk is QEMU's, which stands still
      run("qemu-img", ["convert", "-U", "-f", "qcow2", "-O", "qcow2", root, target], { timeoutMs: copyTimeoutMs });
    await whileGuestsHeld(stateDir, instance, copy, id);
    return (await stat(target)).size;
  }

  async function growDisk(id: string, disk: GuestDisk): Promise<void> {
    if (!(await isRunning(id))) return;
    const { size } = await inspectImage(disk.path);
    await session(id, (qmp) => qmp.execute("block_resize", { "node-name": nodeOf(disk.device), size }));
  }

  async function wipe(id: string): Promise<void> {
    await end(id, atOnce);
    await rm(folderOf(id), { recursive: true, force: true });
  }

  async function destroy(id: string): Promise<void> {
    await wipe(id);
    await network.unplug(id);
  }

  async function state(id: string): Promise<GuestState> {
    if (await isRunning(id)) return "running";
    return (await namesIn(guests)).includes(encodeURIComponent(id)) ? "stopped" : "absent";
  }

  /** Lets a guest go on that was held for a copy of its disks by processes which were all killed. */
  async function letGo(id: string): Promise<void> {
    const { held } = guestFiles(folderOf(id));
    if (!(await pathExists(held))) return;
    if (await isRunning(id)) await session(id, (qmp) => qmp.execute("cont"));
    await rm(held, { force: true });
  }

  async function recover(known: GuestSpec[]): Promise<void> {
    const knownIds = new Set(known.map(({ id }) => id));
    for (const entry of await namesIn(guests)) {
      const id = decodeURIComponent(entry);
      if (!knownIds.has(id)) await turns.run(id, () => destroy(id));
      else if ((await readRun(folderOf(id))) !== undefined) {
        watched.add(id); // one that ended unwatched is cleaned up and reported by the next look
        await turns.run(id, () => letGo(id));
        await leadIns.renew([id]);
      }
    }
  }

  network.onApply(() => leadIns.renew(watched.ids));

  return {
    kind: "qemu",
    boot: (spec) => turns.run(spec.id, () => boot(spec)),
    stop: (id, how) => turns.run(id, () => end(id, how)),
    wipe: (id) => turns.run(id, () => wipe(id)),
    destroy: (id) => turns.run(id, () => destroy(id)),
    attachDisk: (id, disk) => turns.run(id, () => attachDisk(id, disk)),
    detachDisk: (id, device) => turns.run(id, () => detachDisk(id, device)),
    unplugNic: (id, portId) => turns.run(id, () => takeOutNic(id, portId)),
    growDisk: (id, disk) => turns.run(id, () => growDisk(id, disk)),
    pause: (id) => turns.run(id, () => hold(id, true)),
    unpause: (id) => turns.run(id, () => hold(id, false)),
    whileStill: (id, work) => turns.run(id, () => whileGuestsHeld(stateDir, instance, work, id)),
    rescues: true,
    snapshotFormat: "qcow2",
    snapshot: (id, target) => turns.run(id, () => snapshot(id, target)),
    state,
    console: (id, lines) => readConsole(guestFiles(folderOf(id)).console, lines),
    onExit: (listener) => watched.onExit(listener),
    recover,
    async close() {
      watched.close();
      leadIns.close();
      await turns.idle();
    },
  };
}

/**
 * Makes a guest's disk over its image where there is none, and makes it as long as the flavor says, never shorter.
 * @throws Error where the image cannot be booted, or the flavor's disk is too small for it
 */
async function ensureDisk(disk: string, image: string, diskGb: number): Promise<void> {
  if (!(await pathExists(disk))) {
    const { format, size } = await inspectImage(image);
    if (diskGb > 0 && diskGb * gib < size) {
      throw new Error(
        `Flavor's disk is too small for requested image. Flavor disk is ${diskGb * gib} bytes, image is ${size} bytes.`,
      );
    }
    await run("qemu-img", ["create", "-q", "-f", "qcow2", "-F", format, "-b", image, `${disk}.new`]);
    await rename(`${disk}.new`, disk);
  }
  const { stdout } = await run("qemu-img", ["info", "--output=json", disk]);
  const virtual = (JSON.parse(stdout) as { "virtual-size": number })["virtual-size"];
  if (diskGb * gib > virtual) await run("qemu-img", ["resize", "-q", "-f", "qcow2", disk, String(diskGb * gib)]);
}

async function waitForEnd(id: string, process: ProcessMark, timeoutMs: number): Promise<true> {
  const gone = async () => ((await isAlive(process)) ? undefined : (true as const));
  return waitFor(`guest ${id} to end`, gone, { timeoutMs, intervalMs: 20, maxIntervalMs: 250 });
}
