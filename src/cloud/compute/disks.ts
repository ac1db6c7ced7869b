import { messageOf } from "../../common/errors.ts";
import type { GuestDisk, Hypervisor } from "../hypervisors/hypervisor.ts";
import type { Collection, Store } from "../store/store.ts";
import { attached, detached, keptAttached } from "../volume/attachment-states.ts";
import type { VolumeLifecycle } from "../volume/lifecycle.ts";
import { changed, type Volume } from "../volume/records.ts";
import { type BlockDevice, devicesOf, diskName, isRoot } from "./block-devices.ts";
import type { Server } from "./records.ts";

/** What volumes in servers are made of. */
export interface DiskParts {
  store: Store;
  volumes: Collection<Volume>;
  blockDevices: Collection<BlockDevice>;
  volumeLifecycle: VolumeLifecycle;
  hypervisor: Hypervisor;
  log: (line: string) => void;
}

/**
 * A server's volumes as its guest gets them at a boot: the one that it runs from, and those beside. One that is only reserved is not among them:
 * {@link attachVolume} puts it in, in the volume's turn.
 */
export function disksOf(parts: DiskParts, serverId: string): { rootDisk?: GuestDisk; disks: GuestDisk[] } {
  const isReserved = ({ volumeId }: BlockDevice) => parts.volumes.get(volumeId)?.attachment?.device === null;
  const devices = devicesOf(parts.blockDevices, serverId).filter((device) => !isReserved(device));
  const root = devices.find(isRoot);
  const disks = devices.filter((device) => device !== root).map((device) => guestDisk(device, parts.volumeLifecycle));
  return { ...(root === undefined ? {} : { rootDisk: guestDisk(root, parts.volumeLifecycle) }), disks };
}

const guestDisk = (device: BlockDevice, lifecycle: VolumeLifecycle): GuestDisk => ({
  device: diskName(device),
  path: lifecycle.fileOf(device.volumeId),
});

/** Looks at the volume as it is now: it may have been renamed while its disk was made. */
function update(
  volumes: Collection<Volume>,
  { volumeId }: Pick<BlockDevice, "volumeId">,
  change: (volume: Volume) => Volume,
): void {
  const volume = volumes.get(volumeId);
  if (volume !== undefined) volumes.put(change(volume));
}

/** Plugs a reserved volume in; whether it is in. Where that fails the volume is available again and the server as before, as with Nova. */
export async function attachVolume(parts: DiskParts, deviceId: string): Promise<boolean> {
  const { blockDevices, volumeLifecycle } = parts;
  const device = blockDevices.get(deviceId);
  if (device === undefined) return false;
  // a copy of it may be under way: half of what the guest writes meanwhile would be in it. Who has a volume's turn waits for no server's
  return volumeLifecycle.turns.run(device.volumeId, () => attachInTurn(parts, deviceId));
}

async function attachInTurn(parts: DiskParts, deviceId: string): Promise<boolean> {
  const { store, volumes, blockDevices, hypervisor, volumeLifecycle, log } = parts;
  const device = blockDevices.get(deviceId);
  if (device === undefined) return false;
  // what a restart took up has put it in: a second time it would be plugged beside the root file system that is mounted from it
  if (volumes.get(device.volumeId)?.status === "in-use") return true;
  update(volumes, device, (volume) => changed(volume, { status: "attaching" }));
  try {
    await hypervisor.attachDisk(device.serverId, guestDisk(device, volumeLifecycle));
    update(volumes, device, (volume) => attached(volume, device.device));
    return true;
  } catch (error) {
    log(`volume ${device.volumeId} could not be attached to server ${device.serverId}: ${messageOf(error)}`);
    store.transaction(() => {
      blockDevices.delete(device.id);
      update(volumes, device, detached);
    });
    return false;
  }
}

/** Takes a volume out; whether it is out. One that the guest still uses stays in, and is in-use again. */
export async function detachVolume(parts: DiskParts, deviceId: string): Promise<boolean> {
  const { store, volumes, blockDevices, hypervisor, log } = parts;
  const device = blockDevices.get(deviceId);
  if (device === undefined) return false;
  try {
    await hypervisor.detachDisk(device.serverId, diskName(device));
    store.transaction(() => {
      blockDevices.delete(device.id);
      update(volumes, device, detached);
    });
    return true;
  } catch (error) {
    log(`volume ${device.volumeId} stays attached to server ${device.serverId}: ${messageOf(error)}`);
    update(volumes, device, keptAttached);
    return false;
  }
}

/** Tells the guest that has the volume of its new length. */
export async function growDisk(
  { blockDevices, hypervisor }: Pick<DiskParts, "blockDevices" | "hypervisor">,
  volumeId: string,
  path: string,
): Promise<void> {
  const device = blockDevices.find((item) => item.volumeId === volumeId);
  if (device !== undefined) await hypervisor.growDisk(device.serverId, { device: diskName(device), path });
}

/** Runs `work` while the guests that have these volumes stand still, with all that they have written in the volumes' files. */
export function whileStill<T>(
  { blockDevices, hypervisor }: Pick<DiskParts, "blockDevices" | "hypervisor">,
  volumeIds: string[],
  work: () => Promise<T>,
): Promise<T> {
  const devices = blockDevices.list(({ volumeId }) => volumeIds.includes(volumeId));
  const guests = [...new Set(devices.map(({ serverId }) => serverId))].toSorted(); // all that wait for several do so in one order
  return guests.reduce<() => Promise<T>>((inner, id) => () => hypervisor.whileStill?.(id, inner) ?? inner(), work)();
}

/** After the end of a server: its volumes are free, or deleted with it where that was asked for. Inside a transaction. */
export function releaseVolumes(
  { volumes, blockDevices, volumeLifecycle }: DiskParts,
  { id, promisedVolumes = [] }: Pick<Server, "id" | "promisedVolumes">,
): void {
  const release = ({ volumeId, deleteOnTermination }: Pick<BlockDevice, "volumeId" | "deleteOnTermination">) => {
    update(volumes, { volumeId }, (volume) => ({
      ...detached(volume),
      ...(deleteOnTermination ? { status: "deleting" } : {}),
    }));
    if (deleteOnTermination) void volumeLifecycle.delete(volumeId);
  };
  for (const device of devicesOf(blockDevices, id)) {
    blockDevices.delete(device.id);
    release(device);
  }
  for (const { volumeId, deleteOnTermination } of promisedVolumes) {
    if (volumeId !== undefined && deleteOnTermination) release({ volumeId, deleteOnTermination });
  }
}

/** The device of the volume whose way in or out a restart of the cloud interrupted, with that way. */
export function interrupted({ volumes, blockDevices }: DiskParts, serverId: string) {
  return devicesOf(blockDevices, serverId).flatMap(({ id, volumeId }) => {
    const status = volumes.get(volumeId)?.status;
    if (status === "reserved" || status === "attaching") return [{ id, resume: attachVolume }];
    return status === "detaching" ? [{ id, resume: detachVolume }] : [];
  });
}
