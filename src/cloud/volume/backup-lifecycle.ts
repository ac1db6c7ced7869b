import { rm } from "node:fs/promises";
import { messageOf } from "../../common/errors.ts";
import type { Collection } from "../store/store.ts";
import { logUnkept } from "../store/unkept.ts";
import type { Backup } from "./backup-records.ts";
import { copyOver, copySparse } from "./contents.ts";
import type { VolumeLifecycle, VolumeLifecycleParts } from "./lifecycle.ts";
import { tell } from "./message-records.ts";
import { changed, type Volume } from "./records.ts";

type BackupParts = Pick<VolumeLifecycleParts, "volumes" | "snapshots" | "messages" | "whileStill" | "log"> & {
  backups: Collection<Backup>;
  /** Whose turns these are, too. */
  lifecycle: VolumeLifecycle;
};

/** Makes, restores and removes backups' contents behind the answers; what was promised before a restart is taken up after it. */
export class BackupLifecycle {
  readonly #parts: BackupParts;

  constructor(parts: BackupParts) {
    this.#parts = parts;
  }

  /** Copies the content of the backup's snapshot, or of its volume as it is now. */
  create(id: string): void {
    const { backups, lifecycle, whileStill, log } = this.#parts;
    const asked = backups.get(id);
    if (asked?.status !== "creating") return;
    const { volumeId, snapshotId } = asked;
    const to = lifecycle.backupFile(id);
    void this.#inTurn(volumeId, id, async () => {
      if (backups.get(id)?.status !== "creating") return;
      if (snapshotId !== null) await copySparse(lifecycle.snapshotFile(snapshotId), to);
      else await whileStill([volumeId], () => copySparse(lifecycle.fileOf(volumeId), to));
      const container = asked.container ?? `${id.slice(0, 2)}/${id.slice(2, 4)}/${id}`; // as Cinder names a folder of files
      this.#change(id, "creating", { status: "available", container });
    })
      .catch((error: unknown) => this.#failed(id, "creating", error, { action: "backup", detail: "backupFailed" }))
      .finally(() => this.#letSourceGo(sourceOf(asked)))
      .catch(logUnkept(log, `backup ${id}`));
  }

  /** The volume or the snapshot that is being backed up is again what it was. */
  #letSourceGo(id: string): void {
    const { volumes, snapshots } = this.#parts;
    const snapshot = snapshots.get(id);
    if (snapshot?.status === "backing-up") snapshots.put(changed(snapshot, { status: "available" }));
    const volume = volumes.get(id);
    if (volume?.status !== "backing-up") return;
    const { previousStatus: status = "available", ...rest } = volume;
    volumes.put(changed(rest, { status }));
  }

  /** Writes the backup over the beginning of the volume that waits for it; what is behind that stays. */
  restore(id: string): void {
    const { backups, volumes, lifecycle, log } = this.#parts;
    const { restoreTo: volumeId } = backups.get(id) ?? {};
    if (volumeId === undefined) return;
    void this.#inTurn(volumeId, id, async () => {
      const [backup, before] = [backups.get(id), volumes.get(volumeId)];
      if (backup?.status !== "restoring" || before?.status !== "restoring-backup") return;
      await copyOver(lifecycle.backupFile(id), lifecycle.fileOf(volumeId));
      const volume = volumes.get(volumeId);
      if (volume?.status === "restoring-backup") volumes.put(changed(volume, restored(backup, volume)));
    })
      .catch((error: unknown) => {
        this.#failed(id, undefined, error, { action: "restore", detail: "restoreFailed" });
        const volume = volumes.get(volumeId);
        if (volume?.status === "restoring-backup") volumes.put(changed(volume, { status: "error_restoring" }));
      })
      .finally(() => this.#change(id, "restoring", { status: "available" }))
      .catch(logUnkept(log, `backup ${id}`));
  }

  delete(id: string): void {
    const { backups, lifecycle, log } = this.#parts;
    void lifecycle.turns
      .run(id, async () => {
        await rm(lifecycle.backupFile(id), { force: true });
        backups.delete(id);
      })
      .catch((error: unknown) => this.#failed(id, "deleting", error))
      .catch(logUnkept(log, `backup ${id}`));
  }

  /** After a restart of the cloud. What no backup is being made of is let go: the one that was is there by now, or deleted. */
  recover(): void {
    const { backups, volumes, snapshots } = this.#parts;
    const promised = new Set(backups.list(({ status }) => status === "creating").map(sourceOf));
    for (const { id, status } of [...volumes.list(), ...snapshots.list()]) {
      if (status === "backing-up" && !promised.has(id)) this.#letSourceGo(id);
    }
    for (const { id, status } of backups.list()) {
      if (status === "creating") this.create(id);
      if (status === "restoring") this.restore(id);
      if (status === "deleting") this.delete(id);
    }
  }

  #inTurn(volumeId: string, id: string, work: () => Promise<void>): Promise<void> {
    const { turns } = this.#parts.lifecycle;
    return turns.run(volumeId, () => turns.run(id, work));
  }

  /** Only where it still has the status: it may have been set or deleted meanwhile. */
  #change(id: string, from: Backup["status"], change: Partial<Backup>): void {
    const { backups } = this.#parts;
    const backup = backups.get(id);
    if (backup?.status === from) backups.put(changed(backup, change));
  }

  /** @param from the status that becomes `error`; absent: none does */
  #failed(id: string, from: Backup["status"] | undefined, error: unknown, event?: Parameters<typeof tell>[2]): void {
    const { backups, messages, log } = this.#parts;
    log(`backup ${id}: ${messageOf(error)}`);
    const backup = backups.get(id);
    if (backup === undefined) return;
    if (from !== undefined) this.#change(id, from, { status: "error", failReason: messageOf(error) });
    const about = { projectId: backup.projectId, resourceType: "VOLUME_BACKUP", resourceId: id } as const;
    if (event !== undefined) tell(messages, about, event);
  }
}

/** The id of what a backup is of: the snapshot that it names, else its volume. */
const sourceOf = ({ volumeId, snapshotId }: Backup): string => snapshotId ?? volumeId;

/** What a volume is with a backup's content: it takes over the name as well where its own tells that it was made for this. */
function restored({ id, volumeId, volume: source }: Backup, volume: Volume): Partial<Volume> {
  const isMadeForThis = source.name !== null && (volume.name ?? "restore_backup_").startsWith("restore_backup_");
  const { src_backup_id: before } = volume.metadata;
  const tellsSource = volumeId !== volume.id || (before !== undefined && before !== id);
  return {
    status: "available",
    ...(isMadeForThis ? { name: source.name, description: source.description } : {}),
    metadata: { ...source.metadata, ...(tellsSource ? { src_backup_id: id } : {}) },
    ...(Object.keys(source.imageMetadata ?? {}).length === 0 ? {} : { imageMetadata: source.imageMetadata ?? {} }),
    ...(source.bootable === true ? { bootable: true } : {}),
  };
}
