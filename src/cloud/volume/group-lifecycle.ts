import type { Collection } from "../store/store.ts";
import { changedGroup, type GroupTables } from "./group-records.ts";
import type { VolumeLifecycle } from "./lifecycle.ts";
import type { Snapshot, Volume } from "./records.ts";

type GroupParts = Pick<GroupTables, "groups" | "groupSnapshots"> & {
  volumes: Collection<Volume>;
  snapshots: Collection<Snapshot>;
  lifecycle: VolumeLifecycle;
};

/** Leads groups of volumes, and their snapshots, to what their members have come to; after a restart of the cloud as well. */
export class GroupLifecycle {
  readonly #parts: GroupParts;

  constructor(parts: GroupParts) {
    this.#parts = parts;
  }

  /** Makes the contents of a new group's volumes. */
  create(id: string): void {
    const { volumes, lifecycle } = this.#parts;
    const members = volumes.list(({ groupId }) => groupId === id);
    void Promise.all(members.map((volume) => lifecycle.create(volume.id))).then(() => this.#settle(id));
  }

  /** Copies all volumes of a group as they are at one moment. */
  createSnapshot(id: string): void {
    const { snapshots, lifecycle } = this.#parts;
    const members = snapshots.list(({ groupSnapshotId }) => groupSnapshotId === id);
    void lifecycle.createSnapshots(members.map((snapshot) => snapshot.id)).then(() => this.#settleSnapshot(id));
  }

  delete(id: string): void {
    const { volumes, lifecycle } = this.#parts;
    const members = volumes.list(({ groupId }) => groupId === id);
    void Promise.all(members.map((volume) => lifecycle.delete(volume.id))).then(() => this.#settle(id));
  }

  deleteSnapshot(id: string): void {
    const { snapshots, lifecycle } = this.#parts;
    const members = snapshots.list(({ groupSnapshotId }) => groupSnapshotId === id);
    void Promise.all(members.map((each) => lifecycle.deleteSnapshot(each.id))).then(() => this.#settleSnapshot(id));
  }

  /** What is under way with the members was taken up before. */
  recover(): void {
    void this.#parts.lifecycle.idle().then(() => {
      for (const { id } of this.#parts.groups.list()) this.#settle(id);
      for (const { id } of this.#parts.groupSnapshots.list()) this.#settleSnapshot(id);
    });
  }

  #settle(id: string): void {
    const { groups, volumes } = this.#parts;
    const group = groups.get(id);
    const members = volumes.list(({ groupId }) => groupId === id);
    if (group?.status === "deleting") {
      if (members.length === 0) groups.delete(id);
      else groups.put(changedGroup(group, { status: "error_deleting" }));
    }
    if (group?.status === "creating") {
      const isWhole = members.every(({ status }) => status !== "error");
      groups.put(changedGroup(group, { status: isWhole ? "available" : "error" }));
    }
  }

  #settleSnapshot(id: string): void {
    const { groupSnapshots, snapshots } = this.#parts;
    const taken = groupSnapshots.get(id);
    const members = snapshots.list(({ groupSnapshotId }) => groupSnapshotId === id);
    if (taken?.status === "deleting") {
      if (members.length === 0) groupSnapshots.delete(id);
      else groupSnapshots.put(changedGroup(taken, { status: "error_deleting" }));
    }
    if (taken?.status === "creating") {
      const isWhole = members.every(({ status }) => status !== "error");
      groupSnapshots.put(changedGroup(taken, { status: isWhole ? "available" : "error" }));
    }
  }
}
