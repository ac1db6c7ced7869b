import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import type { Image } from "../image/records.ts";
import type { Collection, Store } from "../store/store.ts";
import type { BackupLifecycle } from "./backup-lifecycle.ts";
import { cinder } from "./errors.ts";
import type { GroupLifecycle } from "./group-lifecycle.ts";
import type { GroupSnapshot, VolumeGroup } from "./group-records.ts";
import type { VolumeLifecycle } from "./lifecycle.ts";
import type { Snapshot, Volume } from "./records.ts";
import type { VolumeTables } from "./tables.ts";

/** What Cinder's routes work with. */
export interface VolumeContext extends VolumeTables {
  store: Store;
  images: Collection<Image>;
  lifecycle: VolumeLifecycle;
  backupLifecycle: BackupLifecycle;
  groupLifecycle: GroupLifecycle;
  /** Whether Nova has the volume in a server, or is about to. */
  isServersDisk: (volumeId: string) => boolean;
  /** How large the file system with the contents is, and what is free there, GiB. */
  freeGigabytes: () => Promise<{ total: number; free: number }>;
  /** `http://127.0.0.1:PORT` */
  base: () => string;
}

/** The volume if the scope may use it, else Cinder's 404. */
export function ownVolume(volumes: Collection<Volume>, scope: Scope, id: string): Volume {
  const volume = volumes.get(id);
  if (volume === undefined || !owns(scope, volume.projectId)) throw cinder.volumeNotFound(id);
  return volume;
}

/** The snapshot if the scope may use it, else Cinder's 404. */
export function ownSnapshot(snapshots: Collection<Snapshot>, scope: Scope, id: string): Snapshot {
  const snapshot = snapshots.get(id);
  if (snapshot === undefined || !owns(scope, snapshot.projectId)) throw cinder.snapshotNotFound(id);
  return snapshot;
}

/** The group if the scope may use it, else Cinder's 404. */
export function ownGroup({ groups }: VolumeTables, scope: Scope, id: string): VolumeGroup {
  const group = groups.get(id);
  if (group === undefined || !owns(scope, group.projectId)) throw cinder.groupNotFound(id);
  return group;
}

/** The snapshot of a group if the scope may use it, else Cinder's 404. */
export function ownGroupSnapshot({ groupSnapshots }: VolumeTables, scope: Scope, id: string): GroupSnapshot {
  const taken = groupSnapshots.get(id);
  if (taken === undefined || !owns(scope, taken.projectId)) throw cinder.groupSnapshotNotFound(id);
  return taken;
}

/** @throws ApiError 404 before the microversion that brought a path */
export function since({ microversion }: { microversion: number }, minor: number): void {
  if (microversion < minor) throw cinder.noSuchPath();
}

/** @throws ApiError 403 in Cinder's words where one who is no administrator asks for what the policy leaves to them */
export function demandAdmin(scope: Scope, policy: string): void {
  if (!isAdmin(scope)) throw cinder.forbidden(policy);
}
