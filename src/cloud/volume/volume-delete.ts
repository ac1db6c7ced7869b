import type { VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import { changed, type Snapshot, type Volume } from "./records.ts";

/** What a DELETE asks for besides the volume. */
export interface DeleteOptions {
  /** Overlooks the status, never an attachment. */
  force: boolean;
  /** Deletes its snapshots with it. */
  cascade: boolean;
}

/**
 * Begins a volume's end. Inside a transaction.
 * @returns what is to be done once that is kept
 * @throws ApiError 400 in Cinder's words for a volume that is attached, busy, or has snapshots that stay
 */
export function deleteVolume(context: VolumeContext, volume: Volume, { force, cascade }: DeleteOptions): () => void {
  const { volumes, snapshots, lifecycle } = context;
  const own = snapshots.list(({ volumeId }) => volumeId === volume.id);
  demandDeletable(volume, own, { force, cascade });
  volumes.put(changed(volume, { status: "deleting" }));
  for (const snapshot of own) snapshots.put(changed(snapshot, { status: "deleting" }));
  return () => {
    for (const { id } of own) void lifecycle.deleteSnapshot(id);
    void lifecycle.delete(volume.id);
  };
}

const idle = new Set(["available", "error", "error_restoring", "error_extending", "error_managing"]);

function demandDeletable(
  { status, attachment, groupId }: Volume,
  own: Snapshot[],
  { force, cascade }: DeleteOptions,
): void {
  const snapshotsGo = cascade
    ? force || own.every((snapshot) => ["available", "error", "deleting"].includes(snapshot.status))
    : own.length === 0;
  if (attachment === null && groupId === undefined && (force || idle.has(status)) && snapshotsGo) return;
  const allowed =
    "Volume status must be available or error or error_restoring or error_extending or error_managing and";
  throw cinder.invalidVolume(
    `${force ? "Volume" : allowed} must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer.`,
  );
}
