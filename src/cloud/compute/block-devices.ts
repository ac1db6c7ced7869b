import type { Collection, Store } from "../store/store.ts";
import { nova } from "./errors.ts";

/** Nova's block device mapping: a volume in a server, from the moment that it is asked for until it is out again. */
export interface BlockDevice {
  id: string;
  serverId: string;
  volumeId: string;
  /** Cinder's id of the same. */
  attachmentId: string;
  /** `/dev/vdb` */
  device: string;
  tag: string | null;
  /** Whether the volume is deleted with the server. */
  deleteOnTermination: boolean;
}

/** The root disk's device, which a server has exactly one of. */
export const rootDevice = "/dev/vda";

/** Whether the server runs from the volume. */
export const isRoot = ({ device }: Pick<BlockDevice, "device">): boolean => device === rootDevice;

/** A volume that a server was promised at its making and that is still to be made, of what. */
export interface PromisedVolume extends Pick<BlockDevice, "device" | "tag" | "deleteOnTermination"> {
  source: { kind: "image" | "snapshot"; id: string } | null;
  /** GiB; absent: as large as the snapshot. */
  size?: number;
  /** Id or name. */
  volumeType?: string;
  /** Once there is such a volume. */
  volumeId?: string;
}

export function blockDeviceTable(store: Store): Collection<BlockDevice> {
  return store.collection("block-device");
}

/** A server's volumes, in the order in which they were attached. */
export function devicesOf(table: Collection<BlockDevice>, serverId: string): BlockDevice[] {
  return table.list((device) => device.serverId === serverId);
}

/** The device name below /dev: `vdb`. */
export function diskName({ device }: BlockDevice): string {
  return device.replace("/dev/", "");
}

/**
 * The first free device name. Names that a client asks for do not count, as with libvirt: the guest names its disks itself.
 * @throws ApiError 403 when the letters are used up; `vda` is the root disk
 */
export function nextDevice(taken: Pick<BlockDevice, "device">[]): string {
  const used = new Set(taken.map(({ device }) => device));
  const free = [..."bcdefghijklmnopqrstuvwxyz"].map((letter) => `/dev/vd${letter}`).find((name) => !used.has(name));
  if (free === undefined) throw nova.tooManyDisks(26);
  return free;
}
