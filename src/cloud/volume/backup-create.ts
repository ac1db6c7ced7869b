import { randomUUID } from "node:crypto";
import { z } from "zod";
import { booleanLike, parseBody } from "../http/body.ts";
import { metadataSchema } from "../http/metadata-routes.ts";
import { isoSeconds } from "../http/time.ts";
import type { Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { Backup } from "./backup-records.ts";
import { ownSnapshot, ownVolume, type VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import { demandQuota } from "./quotas.ts";
import { changed, type Snapshot, type Volume } from "./records.ts";

export const text = z.string().max(255).nullable().optional();
const base = {
  ...{ name: text, description: text, container: text },
  volume_id: z.guid(),
  incremental: booleanLike.optional(),
  force: booleanLike.optional(),
  snapshot_id: z.guid().nullable().optional(),
};
const newer = { metadata: metadataSchema.nullable().optional(), availability_zone: text };

/**
 * Begins a backup: its volume or snapshot is `backing-up` until it is over. Inside a transaction.
 * @throws ApiError 400, 404, 413 in Cinder's words
 */
export function createBackup(context: VolumeContext, scope: Scope, input: unknown, microversion: number): Backup {
  const { volumes, snapshots, backups } = context;
  const fields = {
    ...base,
    ...(microversion >= 43 ? { metadata: newer.metadata } : {}),
    ...(microversion >= 51 ? { availability_zone: newer.availability_zone } : {}),
  };
  const { backup: body } = parseBody(z.strictObject({ backup: z.strictObject(fields) }), input) as {
    backup: z.infer<z.ZodObject<typeof base & typeof newer>>;
  };
  const volume = ownVolume(volumes, scope, body.volume_id);
  const snapshot = body.snapshot_id ? ownSnapshot(snapshots, scope, body.snapshot_id) : undefined;
  demandSource(volume, snapshot, body.force ?? false);
  const projectId = projectOf(scope).id;
  demandQuota(context, projectId, { backups: 1, gigabytes: volume.size });
  const createdAt = isoSeconds();
  const parent = body.incremental === true ? parentOf(context, volume, projectId, snapshot) : undefined;
  if (snapshot === undefined) {
    volumes.put(changed(volume, { status: "backing-up", previousStatus: volume.status }));
  } else snapshots.put(changed(snapshot, { status: "backing-up" }));
  const id = randomUUID();
  const { name, description, metadata, bootable = false, imageMetadata = {} } = volume;
  return backups.put({
    ...{ id, projectId, userId: scope.userId, volumeId: volume.id, snapshotId: snapshot?.id ?? null },
    ...{ parentId: parent?.id ?? null, name: body.name ?? null, description: body.description ?? null },
    ...{ size: volume.size, status: "creating", failReason: null },
    container: body.container ?? null,
    metadata: body.metadata ?? {},
    dataTimestamp: snapshot?.createdAt ?? createdAt,
    volume: { name, description, metadata, bootable, imageMetadata },
    createdAt,
    updatedAt: null,
  });
}

function demandSource(volume: Volume, snapshot: Snapshot | undefined, force: boolean): void {
  if (snapshot !== undefined) {
    if (snapshot.volumeId !== volume.id) {
      throw cinder.invalidVolume(`Volume ${volume.id} does not match with snapshot.volume_id ${snapshot.volumeId}.`);
    }
    if (snapshot.status !== "available") {
      throw cinder.invalidSnapshot(
        `Snapshot to be backed up must be available, but the current status is "${snapshot.status}".`,
      );
    }
  } else if (volume.status !== "available" && volume.status !== "in-use") {
    throw cinder.invalidVolume(
      `Volume to be backed up must be available or in-use, but the current status is "${volume.status}".`,
    );
  } else if (volume.status === "in-use" && !force) {
    throw cinder.invalidVolume("Backing up an in-use volume must use the force flag.");
  }
}

/** The latest backup of the volume that is older than what is to be added to it. @throws ApiError 400 */
function parentOf(
  { backups }: VolumeContext,
  volume: Volume,
  projectId: string,
  snapshot: Snapshot | undefined,
): Backup | undefined {
  const own = backups.list((backup) => backup.volumeId === volume.id && backup.projectId === projectId);
  if (own.length === 0) throw cinder.invalidBackup("No backups available to do an incremental backup.");
  const age = ({ dataTimestamp }: Backup) =>
    snapshot === undefined || dataTimestamp < snapshot.createdAt ? Date.parse(dataTimestamp) : Number.NEGATIVE_INFINITY;
  const parent = own.reduce((latest, other) => (age(other) >= age(latest) ? other : latest));
  if (parent.status !== "available") {
    throw cinder.invalidBackup("The parent backup must be available for incremental backup.");
  }
  return parent;
}
