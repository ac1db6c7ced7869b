import { isoMicrosNoZone } from "../http/time.ts";
import { isAdmin } from "../identity/scope.ts";
import type { Backup } from "./backup-records.ts";
import { linksOf, type ViewContext } from "./view.ts";

/** The backup as it is listed, made and changed. */
export function backupSummary({ id, name }: Backup, context: ViewContext): Record<string, unknown> {
  return { id, name, links: linksOf(`/backups/${id}`, context) };
}

/** Into how many files Cinder writes a volume, each of at most `backup_file_size`. */
const filesOf = (gibibytes: number): number => Math.ceil((gibibytes * 1024 ** 3) / 1_999_994_880);

/** @param all every backup, of which some may add to this one */
export function backupView(backup: Backup, all: Backup[], context: ViewContext): Record<string, unknown> {
  const { microversion, scope } = context;
  const { id, name, description, size, status, container, volumeId, snapshotId } = backup;
  const isThere = status !== "creating" && backup.failReason === null;
  const forAdmins = (minor: number, fields: Record<string, unknown>) =>
    isAdmin(scope) && microversion >= minor ? fields : {};
  return {
    ...{ id, status, size, object_count: isThere ? filesOf(size) : 0, availability_zone: null, container },
    created_at: isoMicrosNoZone(backup.createdAt),
    updated_at: backup.updatedAt === null ? null : isoMicrosNoZone(backup.updatedAt),
    ...{ name, description, fail_reason: backup.failReason, volume_id: volumeId },
    links: linksOf(`/backups/${id}`, context),
    is_incremental: backup.parentId !== null,
    has_dependent_backups: all.some(({ parentId }) => parentId === id),
    ...{ snapshot_id: snapshotId, data_timestamp: isoMicrosNoZone(backup.dataTimestamp) },
    ...(microversion >= 43 ? { metadata: backup.metadata } : {}),
    ...forAdmins(18, { "os-backup-project-attr:project_id": backup.projectId }),
    ...forAdmins(56, { user_id: backup.userId }),
  };
}
