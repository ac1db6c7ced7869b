import { isAdmin, type Scope } from "../identity/scope.ts";
import type { Collection, Store } from "../store/store.ts";

/** What groups of volumes are of: a name and what is promised of them. */
export interface GroupType {
  id: string;
  name: string;
  description: string | null;
  isPublic: boolean;
  specs: Record<string, string>;
  createdAt: string;
}

/** Others than administrators use the public ones alone. */
export function isVisibleGroupType({ isPublic }: GroupType, scope: Scope): boolean {
  return isPublic || isAdmin(scope);
}

export const groupStatuses = [
  ...(["error", "available", "creating", "deleting", "deleted", "updating", "error_deleting"] as const),
] as const;

/** Volumes that are snapshotted and copied together, as those of them that say so (`Volume.groupId`). */
export interface VolumeGroup {
  id: string;
  projectId: string;
  userId: string;
  name: string | null;
  description: string | null;
  status: (typeof groupStatuses)[number];
  availabilityZone: string;
  groupTypeId: string;
  volumeTypeIds: string[];
  /** What it was made from. */
  groupSnapshotId: string | null;
  sourceGroupId: string | null;
  createdAt: string;
  updatedAt: string | null;
}

/** Snapshots of all volumes of a group at one moment: those that say so (`Snapshot.groupSnapshotId`). */
export interface GroupSnapshot {
  id: string;
  projectId: string;
  userId: string;
  groupId: string;
  groupTypeId: string;
  name: string | null;
  description: string | null;
  status: (typeof groupStatuses)[number];
  createdAt: string;
  updatedAt: string | null;
}

export interface GroupTables {
  groupTypes: Collection<GroupType>;
  groups: Collection<VolumeGroup>;
  groupSnapshots: Collection<GroupSnapshot>;
}

export function groupTables(store: Store): GroupTables {
  return {
    groupTypes: store.collection("volume-group-type"),
    groups: store.collection("volume-group"),
    groupSnapshots: store.collection("volume-group-snapshot"),
  };
}
