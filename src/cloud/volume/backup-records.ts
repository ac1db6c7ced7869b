import type { Collection, Store } from "../store/store.ts";
import type { Volume } from "./records.ts";

/** A volume's content of one moment, kept apart from the volume, which it outlives. */
export interface Backup {
  id: string;
  projectId: string;
  userId: string;
  volumeId: string;
  /** The snapshot that it is of, in place of the volume as it was. */
  snapshotId: string | null;
  /** The backup that it is told to add to. Each is whole by itself all the same. */
  parentId: string | null;
  name: string | null;
  description: string | null;
  /** GiB. */
  size: number;
  status: "creating" | "available" | "restoring" | "deleting" | "error";
  failReason: string | null;
  container: string | null;
  metadata: Record<string, string>;
  /** When the content was the volume's. */
  dataTimestamp: string;
  /** The volume that it is being restored to. */
  restoreTo?: string;
  /** What a volume that it is restored to takes over. */
  volume: Pick<Volume, "name" | "description" | "metadata" | "bootable" | "imageMetadata">;
  createdAt: string;
  updatedAt: string | null;
}

export function backupTable(store: Store): Collection<Backup> {
  return store.collection("volume-backup");
}
