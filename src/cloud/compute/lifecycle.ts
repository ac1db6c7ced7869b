import { messageOf } from "../../common/errors.ts";
import { Turns } from "../../common/turns.ts";
import { after, ClockEnded } from "../clock/clock.ts";
import { isoSeconds } from "../http/time.ts";
import type { GuestSpec } from "../hypervisors/hypervisor.ts";
import type { ConfigDrive } from "../metadata/config-drive.ts";
import { removePort, setPortsStatus, unbindPort } from "../network/ports.ts";
import type { NetworkTables } from "../network/records.ts";
import { logUnkept } from "../store/unkept.ts";
import { attachVolume, type DiskParts, detachVolume, disksOf, interrupted, releaseVolumes } from "./disks.ts";
import { guestSpec } from "./guest-spec.ts";
import { actionTable, finishAction } from "./instance-actions.ts";
import { makePromisedVolumes, type PromiseParts, reimageRoot } from "./promised-volumes.ts";
import { deletedServerTable, type Server, type VmState } from "./records.ts";
import { type SnapshotParts, takeSnapshot } from "./snapshots.ts";

export interface LifecycleParts extends DiskParts, SnapshotParts, PromiseParts {
  tables: NetworkTables;
  /** What its guest is told of a server. */
  configDrive: (server: Server) => ConfigDrive;
  /** What is booted in place of a server's guest. @throws Error with the server's fault message */
  bootSpec: (server: Server, spec: GuestSpec) => GuestSpec;
  /** Brings the data plane to the current plan. */
  reconcile: () => Promise<void>;
}

/** How long a guest may take to shut down by itself before it is stopped hard, seconds; Nova's `shutdown_timeout`. */
const shutdownTimeout = 60;

/**
 * Does with guests what the API has promised, behind the answers: one operation at a time per server, in the order of the calls. The
 * promise is in the store before the work starts (`taskState`), so that a restarted cloud takes it up again.
 */
export class Lifecycle {
  readonly #parts: LifecycleParts;
  readonly #turns = new Turns();
  readonly #doomed = new Set<() => void>();
  #closing = false;

  constructor(parts: LifecycleParts) {
    this.#parts = parts;
    parts.hypervisor.onExit((id) => this.#enqueue(id, () => this.#ended(id)));
  }

  /** Boots a new server, or one that is stopped or shelved. */
  boot(id: string): void {
    this.#perform(id, () => this.#boot(id));
  }

  stop(id: string): void {
    this.#perform(id, async () => {
      await this.#stopGuest(id);
      this.#settle(id, { vmState: "stopped" }, "DOWN");
    });
  }

  /** Boots the server as its record says by now: with another flavor, to be confirmed, or with the former one again. */
  resize(id: string, vmState: "resized" | "active"): void {
    this.#perform(id, async () => {
      await this.#stopGuest(id);
      const done = vmState === "active" ? { changedFrom: null } : {};
      const stopped = this.#parts.servers.get(id)?.changedFrom?.stopped === true;
      if (!stopped) await this.#boot(id, { vmState, ...done });
      else this.#settle(id, { vmState: vmState === "active" ? "stopped" : vmState, ...done }, "DOWN");
    });
  }

  /** Gives the server a new disk from its image, or its root volume the content that was asked for; one that was stopped is stopped again. */
  rebuild(id: string): void {
    this.#perform(id, async () => {
      const { hypervisor, servers } = this.#parts;
      await hypervisor.wipe(id);
      await reimageRoot(this.#parts, id);
      const stopped = servers.get(id)?.changedFrom?.stopped === true;
      await this.#boot(id, { vmState: "active", changedFrom: null });
      if (!stopped || servers.get(id)?.vmState !== "active") return;
      await this.#stopGuest(id);
      this.#settle(id, { vmState: "stopped" }, "DOWN");
    });
  }

  /** Takes the server off the host; its disk is kept. */
  shelve(id: string): void {
    this.#perform(id, async () => {
      await this.#stopGuest(id);
      this.#settle(id, { vmState: "shelved_offloaded" }, "DOWN");
    });
  }

  reboot(id: string, soft: boolean): void {
    this.#perform(id, async () => {
      await this.#stopGuest(id, soft);
      await this.#boot(id);
    });
  }

  /** Holds the guest where it is. */
  pause(id: string): void {
    this.#hold(id, "paused");
  }

  unpause(id: string): void {
    this.#letGo(id);
  }

  /** As {@link pause}: what is held keeps its memory, not a file. */
  suspend(id: string): void {
    this.#hold(id, "suspended");
  }

  /** Lets a suspended guest go on, or boots it where the machine was restarted meanwhile. */
  resume(id: string): void {
    this.#letGo(id);
  }

  /** Boots the server from another image, its own disk beside it. */
  rescue(id: string): void {
    this.#perform(id, async () => {
      await this.#stopGuest(id);
      await this.#boot(id, { vmState: "rescued" });
    });
  }

  unrescue(id: string): void {
    this.#perform(id, async () => {
      this.#parts.servers.patch(id, { rescueImageId: null });
      await this.#stopGuest(id);
      await this.#boot(id);
    });
  }

  /** Fills the image that was promised with the server's disk; the server is what it was before. */
  snapshot(id: string): void {
    this.#perform(id, async () => {
      const server = this.#parts.servers.get(id);
      if (server === undefined) return;
      try {
        await takeSnapshot(this.#parts, server);
      } finally {
        const busy = this.#parts.servers.get(id)?.taskState;
        if (busy !== "deleting") this.#parts.servers.patch(id, { taskState: null, snapshot: null });
      }
    });
  }

  delete(id: string): void {
    this.#perform(id, () => this.#delete(id));
  }

  /** Plugs a volume into a server, by the id of its block device. */
  attach(id: string, deviceId: string): void {
    this.#perform(id, () => attachVolume(this.#parts, deviceId));
  }

  detach(id: string, deviceId: string): void {
    this.#perform(id, () => detachVolume(this.#parts, deviceId));
  }

  /** Takes the NIC of a port that was plugged out of a running guest; one that keeps it has it until its next boot. */
  unplugNic(id: string, portId: string): void {
    this.#enqueue(id, async () => {
      try {
        await this.#parts.hypervisor.unplugNic?.(id, portId);
      } catch (error) {
        this.#parts.log(`server ${id} keeps the NIC of port ${portId} until it boots: ${messageOf(error)}`);
      }
    });
  }

  /**
   * After a restart of the cloud: guests that still run are adopted, unfinished operations are taken up, and servers that ran and do
   * not any more (the machine was restarted) are booted again.
   */
  async recover(): Promise<void> {
    const { servers, hypervisor } = this.#parts;
    await hypervisor.recover(servers.list().map((server) => this.#spec(server)));
    for (const server of servers.list()) {
      switch (server.taskState) {
        case "deleting":
          this.delete(server.id);
          break;
        case "powering-off":
          this.stop(server.id);
          break;
        case "scheduling":
        case "block_device_mapping":
        case "spawning":
        case "powering-on":
        case "unshelving":
          this.boot(server.id);
          break;
        case "resize_prep":
          this.resize(server.id, "resized");
          break;
        case "resize_reverting":
          this.resize(server.id, "active");
          break;
        case "rebuilding":
          this.rebuild(server.id);
          break;
        case "shelving_offloading":
          this.shelve(server.id);
          break;
        case "rebooting":
        case "rebooting_hard":
          this.reboot(server.id, server.taskState === "rebooting");
          break;
        case "pausing":
          this.pause(server.id);
          break;
        case "suspending":
          this.suspend(server.id);
          break;
        case "unpausing":
        case "resuming":
          this.unpause(server.id);
          break;
        case "rescuing":
          this.rescue(server.id);
          break;
        case "unrescuing":
          this.unrescue(server.id);
          break;
        case "image_snapshot":
        case "image_backup":
          this.snapshot(server.id);
          break;
        case null:
          if (isUp(server) || server.vmState === "paused") await this.#revive(server);
      }
      for (const { id, resume } of interrupted(this.#parts, server.id)) {
        this.#perform(server.id, () => resume(this.#parts, id));
      }
    }
  }

  /** Ends the guest by itself so many milliseconds from now, unless the cloud is stopped before. */
  dieLater(id: string, afterMs: number): void {
    const takeBack = after(afterMs, () => {
      this.#doomed.delete(takeBack);
      this.#enqueue(id, async () => {
        await this.#parts.hypervisor.stop(id, { soft: false, timeoutMs: 0 });
        await this.#ended(id);
      });
    });
    this.#doomed.add(takeBack);
  }

  /** Resolves when nothing is being done. */
  idle(): Promise<void> {
    return this.#turns.idle();
  }

  /** Finishes what is under way and begins nothing more; what was promised is taken up at the next start. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const takeBack of this.#doomed) takeBack();
    await this.idle();
  }

  /** Does what was asked for, and notes that it is done. */
  #perform(id: string, work: () => Promise<unknown>): void {
    this.#enqueue(id, async () => {
      const actions = actionTable(this.#parts.store);
      try {
        const done = await work();
        finishAction(actions, id, done === false ? "The work failed." : null);
      } catch (error) {
        finishAction(actions, id, messageOf(error));
        throw error;
      }
    });
  }

  #stopGuest(id: string, soft = true): Promise<void> {
    return this.#parts.hypervisor.stop(id, { soft, timeoutMs: this.#shutdownTimeout(id) * 1000 });
  }

  /** Its image may say how long its guests take: `os_shutdown_timeout`, as with Nova. */
  #shutdownTimeout(id: string): number {
    const { servers, images } = this.#parts;
    const told = images.get(servers.get(id)?.imageId ?? "")?.properties.os_shutdown_timeout;
    return typeof told === "string" && /^\d+$/.test(told) ? Number(told) : shutdownTimeout;
  }

  #hold(id: string, vmState: VmState): void {
    this.#perform(id, async () => {
      await this.#parts.hypervisor.pause?.(id);
      this.#settle(id, { vmState });
    });
  }

  #letGo(id: string): void {
    this.#perform(id, async () => {
      if ((await this.#parts.hypervisor.state(id)) === "stopped") return this.#boot(id);
      await this.#parts.hypervisor.unpause?.(id);
      this.#settle(id, { vmState: "active" });
    });
  }

  #enqueue(id: string, work: () => Promise<void>): void {
    void this.#turns.run(id, async () => {
      if (this.#closing) return;
      try {
        await work();
      } catch (error) {
        if (!(error instanceof ClockEnded)) this.#fail(id, error); // promised still: taken up at the next start
      }
    });
  }

  async #boot(id: string, change: Partial<Server> = { vmState: "active" }): Promise<void> {
    const { servers, hypervisor, bootSpec, reconcile, log } = this.#parts;
    const server = servers.get(id);
    if (server === undefined || server.taskState === "deleting") return;
    try {
      if (server.vmState === "building") {
        await makePromisedVolumes(this.#parts, id);
        if (servers.get(id)?.taskState === "deleting") return;
        servers.patch(id, { taskState: "spawning" });
      }
      const spec = bootSpec(server, this.#spec(server));
      // from its image it would run, and keep nothing
      if (server.volumeBacked && spec.rootDisk === undefined)
        throw new Error(`The root volume of ${id} is not attached.`);
      // the data plane makes the guest's links, so it comes first
      await reconcile();
      await hypervisor.boot(spec);
    } catch (error) {
      if (servers.get(id)?.taskState !== "deleting") throw error;
      log(`server ${id} did not boot, and is deleted now: ${messageOf(error)}`);
      return;
    }
    this.#settle(id, { ...change, fault: null, launchedAt: isoSeconds() }, "ACTIVE");
  }

  async #delete(id: string): Promise<void> {
    const { store, servers, tables, hypervisor, reconcile } = this.#parts;
    const server = servers.get(id);
    if (server === undefined) return;
    await hypervisor.destroy(id);
    store.transaction(() => {
      for (const { portId, made } of server.nics) {
        const port = tables.ports.get(portId);
        if (port === undefined || port.device?.id !== id) continue;
        if (made) removePort(tables, port);
        else unbindPort(tables, port);
      }
      releaseVolumes(this.#parts, servers.get(id) ?? server);
      servers.delete(id);
      const now = isoSeconds();
      const gone = { vmState: "deleted", taskState: null, terminatedAt: now, updatedAt: now } as const;
      const { adminPass, rescuePass, encryptedPassword, ...told } = server; // passwords go with it
      deletedServerTable(store).put({ ...told, ...gone, nics: [] });
    });
    await reconcile();
  }

  #spec(server: Server): GuestSpec {
    const { tables, configDrive } = this.#parts;
    return guestSpec(server, tables, disksOf(this.#parts, server.id), () => configDrive(server));
  }

  /** A guest that ended by itself: `poweroff` inside, or a crash. */
  async #ended(id: string): Promise<void> {
    const server = this.#parts.servers.get(id);
    if (server === undefined || server.taskState !== null) return;
    if (!isUp(server) && server.vmState !== "paused") return;
    if ((await this.#parts.hypervisor.state(id)) === "running") return;
    this.#settle(id, { vmState: "stopped" }, "DOWN");
  }

  async #revive({ id, vmState }: Server): Promise<void> {
    const state = await this.#parts.hypervisor.state(id);
    if (state === "stopped" && vmState === "paused")
      this.#settle(id, { vmState: "stopped" }, "DOWN"); // its memory is lost
    else if (state === "stopped") this.#enqueue(id, () => this.#boot(id, { vmState }));
    if (state === "absent") this.#fail(id, new Error("The guest's disk is gone."));
  }

  /** Ends an operation: the new state is shown, unless the server is on its way out. */
  #settle(id: string, change: Partial<Server>, ports?: "ACTIVE" | "DOWN"): void {
    const { store, servers, tables } = this.#parts;
    store.transaction(() => {
      const server = servers.get(id);
      if (server === undefined) return;
      const taskState = server.taskState === "deleting" ? server.taskState : null;
      servers.put({ ...server, ...change, taskState, updatedAt: isoSeconds() });
      if (ports !== undefined) setPortsStatus(tables, id, ports);
    });
  }

  #fail(id: string, error: unknown): void {
    const { servers, log } = this.#parts;
    log(`server ${id}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    const now = isoSeconds();
    const fault = { code: 500, created: now, message: messageOf(error) };
    try {
      servers.patch(id, { vmState: "error", taskState: null, fault, updatedAt: now });
    } catch (full) {
      logUnkept(log, `server ${id}`)(full);
    }
  }
}

/** Whether the server's guest is meant to run. */
function isUp({ vmState, changedFrom }: Server): boolean {
  return vmState === "active" || vmState === "rescued" || (vmState === "resized" && changedFrom?.stopped !== true);
}
