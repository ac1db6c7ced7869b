import { isoSeconds } from "../http/time.ts";
import type { Collection, Store } from "../store/store.ts";

/** Cinder's statuses of a volume, in the order in which it names them. */
export const volumeStatuses = [
  "creating",
  "available",
  "deleting",
  "error",
  "error_deleting",
  "error_managing",
  "managing",
  "attaching",
  "in-use",
  "detaching",
  "maintenance",
  "restoring-backup",
  "error_restoring",
  "reserved",
  "awaiting-transfer",
  "backing-up",
  "error_backing-up",
  "error_extending",
  "downloading",
  "uploading",
  "retyping",
  "extending",
] as const;
/** `reverting` is one that a volume gets into and that nobody can set. */
export type VolumeStatus = (typeof volumeStatuses)[number] | "reverting";

/** A volume's place in a server, from its reservation on. */
export interface VolumeAttachment {
  id: string;
  /** Null where the volume is with a machine that Nova does not know. */
  serverId: string | null;
  /** `/dev/vdb`; null until the volume is attached. */
  device: string | null;
  attachedAt: string | null;
  /** What a client that attaches by itself, without Nova, said of its machine. */
  connector?: Record<string, unknown>;
  mode?: "rw" | "ro" | "null";
}

/** Where a volume's first content comes from. */
export interface VolumeSource {
  kind: "snapshot" | "volume" | "image" | "backup";
  id: string;
}

/** A volume as Cinder keeps it. Optional fields are absent in volumes that were made before there were such. */
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
  /** What `status` is again once the copying out of the volume is over. */
  previousStatus?: VolumeStatus;
  /** The image that is being made of it. */
  uploadTo?: string;
  metadata: Record<string, string>;
  availabilityZone: string;
  /** At most one: no volume of this cloud is shared. */
  attachment: VolumeAttachment | null;
  /** The default type's where absent. */
  typeId?: string;
  source?: VolumeSource;
  /** The group that it is in. */
  groupId?: string;
  bootable?: boolean;
  /** `volume_image_metadata`: what is remembered of the image that the content is of. */
  imageMetadata?: Record<string, string>;
  readonly?: boolean;
  /** No place was found for it: it is on no host and has no content. */
  unplaced?: boolean;
  migrationStatus?: string | null;
  createdAt: string;
  updatedAt: string | null;
}

export function volumeTable(store: Store): Collection<Volume> {
  return store.collection("volume");
}

/** The record with some fields changed now. */
export function changed<T extends { updatedAt: string | null }>(record: T, change: Partial<T>): T {
  return { ...record, ...change, updatedAt: isoSeconds() };
}

/** Cinder's statuses of a snapshot, in the order in which it names them. */
export const snapshotStatuses = [
  "error",
  "available",
  "creating",
  "deleting",
  "deleted",
  "updating",
  "error_deleting",
  "unmanaging",
  "backing-up",
  "restoring",
] as const;

/** A volume's content of one moment. */
export interface Snapshot {
  id: string;
  projectId: string;
  userId: string;
  volumeId: string;
  /** The snapshot of a group that it is part of. */
  groupSnapshotId?: string;
  /** The image of a server that it is part of: those of one are of one moment. */
  imageId?: string;
  name: string | null;
  description: string | null;
  /** GiB, of the volume at that moment. */
  size: number;
  status: (typeof snapshotStatuses)[number];
  progress: string;
  metadata: Record<string, string>;
  typeId?: string;
  bootable: boolean;
  imageMetadata: Record<string, string>;
  createdAt: string;
  updatedAt: string | null;
}

export function snapshotTable(store: Store): Collection<Snapshot> {
  return store.collection("volume-snapshot");
}
