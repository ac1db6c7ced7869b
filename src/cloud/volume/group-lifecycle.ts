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
    void Promise.all(members.map((volume) => lifecycle.create(volume.id))).then(() => this.#settleMade(id));
  }

  /** Copies all volumes of a group as they are at one moment. */
  createSnapshot(id: string): void {
    const { snapshots, lifecycle } = this.#parts;
    const members = snapshots.list(({ groupSnapshotId }) => groupSnapshotId === id);
    void lifecycle.createSnapshots(members.map((snapshot) => snapshot.id)).then(() => this.#settleSnapshotMade(id));
  }

  delete(id: string): void {
    const { volumes, lifecycle } = this.#parts;
    const members = volumes.list(({ groupId }) => groupId === id);
    void Promise.all(members.map((volume) => lifecycle.delete(volume.id))).then(() => this.#settleDeleted(id));
  }

  deleteSnapshot(id: string): void {
    const { snapshots, lifecycle } = this.#parts;
    const members = snapshots.list(({ groupSnapshotId }) => groupSnapshotId === id);
    void Promise.all(members.map((each) => lifecycle.deleteSnapshot(each.id))).then(() =>
      this.#settleSnapshotDeleted(id),
    );
  }

  /** What is under way with the members was taken up before. */
  recover(): void {
    void this.#parts.lifecycle.idle().then(() => {
      for (const { id } of this.#parts.groups.list()) {
        this.#settleMade(id);
        this.#settleDeleted(id);
      }
      for (const { id } of this.#parts.groupSnapshots.list()) {
        this.#settleSnapshotMade(id);
        this.#settleSnapshotDeleted(id);
      }
    });
  }

  /** One that is to go meanwhile is left to its deletion. */
  #settleMade(id: string): void {
    const { groups, volumes } = this.#parts;
    const group = groups.get(id);
    if (group?.status !== "creating") return;
    const isWhole = volumes.list(({ groupId }) => groupId === id).every(({ status }) => status !== "error");
    groups.put(changedGroup(group, { status: isWhole ? "available" : "error" }));
  }

  #settleDeleted(id: string): void {
    const { groups, volumes } = this.#parts;
    const group = groups.get(id);
    if (group?.status !== "deleting") return;
    if (volumes.find(({ groupId }) => groupId === id) === undefined) groups.delete(id);
    else groups.put(changedGroup(group, { status: "error_deleting" }));
  }

  /** As {@link #settleMade}. */
  #settleSnapshotMade(id: string): void {
    const { groupSnapshots, snapshots } = this.#parts;
    const taken = groupSnapshots.get(id);
    if (taken?.status !== "creating") return;
    const members = snapshots.list(({ groupSnapshotId }) => groupSnapshotId === id);
    const isWhole = members.every(({ status }) => status !== "error");
    groupSnapshots.put(changedGroup(taken, { status: isWhole ? "available" : "error" }));
  }

  #settleSnapshotDeleted(id: string): void {
    const { groupSnapshots, snapshots } = this.#parts;
    const taken = groupSnapshots.get(id);
    if (taken?.status !== "deleting") return;
    if (snapshots.find(({ groupSnapshotId }) => groupSnapshotId === id) === undefined) groupSnapshots.delete(id);
    else groupSnapshots.put(changedGroup(taken, { status: "error_deleting" }));
  }
}
