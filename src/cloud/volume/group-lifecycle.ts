import type { Collection } from "../store/store.ts";
import { logUnkept } from "../store/unkept.ts";
import { changedGroup, type GroupTables } from "./group-records.ts";
import type { VolumeLifecycle } from "./lifecycle.ts";
import type { Snapshot, Volume } from "./records.ts";

type GroupParts = Pick<GroupTables, "groups" | "groupSnapshots"> & {
  volumes: Collection<Volume>;
  snapshots: Collection<Snapshot>;
  lifecycle: VolumeLifecycle;
  log: (line: string) => void;
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
    this.#after(id, Promise.all(members.map((volume) => lifecycle.create(volume.id))), () => this.#settleMade(id));
  }

  /** Copies all volumes of a group as they are at one moment. */
  createSnapshot(id: string): void {
    const { snapshots, lifecycle } = this.#parts;
    const members = snapshots.list(({ groupSnapshotId }) => groupSnapshotId === id);
    const copied = lifecycle.createSnapshots(members.map((snapshot) => snapshot.id));
    this.#after(id, copied, () => this.#settleSnapshotMade(id));
  }

  delete(id: string): void {
    const { volumes, lifecycle } = this.#parts;
    const members = volumes.list(({ groupId }) => groupId === id);
    this.#after(id, Promise.all(members.map((volume) => lifecycle.delete(volume.id))), () => this.#settleDeleted(id));
  }

  deleteSnapshot(id: string): void {
    const { snapshots, lifecycle } = this.#parts;
    const members = snapshots.list(({ groupSnapshotId }) => groupSnapshotId === id);
    const removed = Promise.all(members.map((each) => lifecycle.deleteSnapshot(each.id)));
    this.#after(id, removed, () => this.#settleSnapshotDeleted(id));
  }

  /** What is under way with the members was taken up before. */
  recover(): void {
    const { lifecycle, groups, groupSnapshots } = this.#parts;
    const begun = lifecycle.idle();
    for (const { id, status } of groups.list()) {
      if (status === "creating") this.#after(id, begun, () => this.#settleMade(id));
      if (status === "deleting") this.#after(id, begun, () => this.#settleDeleted(id));
    }
    for (const { id, status } of groupSnapshots.list()) {
      if (status === "creating") this.#after(id, begun, () => this.#settleSnapshotMade(id));
      if (status === "deleting") this.#after(id, begun, () => this.#settleSnapshotDeleted(id));
    }
  }

  #after(id: string, work: Promise<unknown>, settle: () => void): void {
    void work.then(settle).catch(logUnkept(this.#parts.log, `group or group snapshot ${id}`));
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
