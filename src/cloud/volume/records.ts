import { isoSeconds } from "../http/time.ts";
import type { Collection, Store } from "../store/store.ts";

/** Cinder's statuses, as far as a volume of this cloud gets into them. */
export type VolumeStatus =
  | "creating"
  | "available"
  | "reserved"
  | "attaching"
  | "in-use"
  | "detaching"
  | "extending"
  | "deleting"
  | "error"
  | "error_deleting"
  | "error_extending";

/** A volume's place in a server, from its reservation on. */
export interface VolumeAttachment {
  id: string;
  serverId: string;
  /** `/dev/vdb`; null until the volume is attached. */
  device: string | null;
  attachedAt: string | null;
}

/** A volume as Cinder keeps it. */
export interface Volume {
  id: string;
  projectId: string;
  userId: string;
  name: string | null;
  description: string | null;
  /** GiB. */
  size: number;
  /** GiB that it is being extended to. */
  extendTo?: number;
  status: VolumeStatus;
  metadata: Record<string, string>;
  availabilityZone: string;
  /** At most one: no volume of this cloud is shared. */
  attachment: VolumeAttachment | null;
  createdAt: string;
  updatedAt: string | null;
}

export function volumeTable(store: Store): Collection<Volume> {
  return store.collection("volume");
}

/** The volume with some fields changed now. */
export function changed(volume: Volume, change: Partial<Volume>): Volume {
  return { ...volume, ...change, updatedAt: isoSeconds() };
}
