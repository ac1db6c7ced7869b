import { isoSeconds } from "../http/time.ts";
import type { Collection } from "../store/store.ts";
import { logUnkept } from "../store/unkept.ts";
import type { GroupTables, VolumeGroup } from "./group-records.ts";
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

  #settleMade(id: string): void {
    const { groups, volumes } = this.#parts;
    settleMade(
      groups,
      id,
      volumes.list(({ groupId }) => groupId === id),
    );
  }

  #settleDeleted(id: string): void {
    const { groups, volumes } = this.#parts;
    settleDeleted(groups, id, volumes.find(({ groupId }) => groupId === id) !== undefined);
  }

  #settleSnapshotMade(id: string): void {
    const { groupSnapshots, snapshots } = this.#parts;
    settleMade(
      groupSnapshots,
      id,
      snapshots.list(({ groupSnapshotId }) => groupSnapshotId === id),
    );
  }

  #settleSnapshotDeleted(id: string): void {
    const { groupSnapshots, snapshots } = this.#parts;
    settleDeleted(groupSnapshots, id, snapshots.find(({ groupSnapshotId }) => groupSnapshotId === id) !== undefined);
  }
}

type Settled = Pick<VolumeGroup, "id" | "status" | "updatedAt">;

/** One that is to go meanwhile is left to its deletion. */
function settleMade<T extends Settled>(table: Collection<T>, id: string, members: { status: string }[]): void {
  if (table.get(id)?.status !== "creating") return;
  settle(table, id, members.every(({ status }) => status !== "error") ? "available" : "error");
}

/** One that has members left stays. */
function settleDeleted<T extends Settled>(table: Collection<T>, id: string, hasMembers: boolean): void {
  if (table.get(id)?.status !== "deleting") return;
  if (hasMembers) settle(table, id, "error_deleting");
  else table.delete(id);
}

function settle(table: Collection<Settled>, id: string, status: Settled["status"]): void {
  table.patch(id, { status, updatedAt: isoSeconds() });
}
