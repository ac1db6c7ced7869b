import { ApiError } from "../http/api-error.ts";
import { namedFaultBody } from "../http/faults.ts";

/** Cinder's form of a fault; one over a quota also says when to come again. */
export function volumeBody(error: ApiError): unknown {
  if (error.status !== 413) return namedFaultBody(error);
  return { overLimit: { code: 413, message: error.message, retryAfter: "0" } };
}

const notFound = (what: string) => new ApiError(404, `${what} could not be found.`);

/** Cinder's refusals in its own words. */
export const cinder = {
  badRequest: (message: string) => new ApiError(400, message),
  invalidInput: (reason: string) => new ApiError(400, `Invalid input received: ${reason}`),
  invalidVolume: (reason: string) => new ApiError(400, `Invalid volume: ${reason}`),
  invalidSnapshot: (reason: string) => new ApiError(400, `Invalid snapshot: ${reason}`),
  invalidBackup: (reason: string) => new ApiError(400, `Invalid backup: ${reason}`),
  invalidGroup: (reason: string) => new ApiError(400, `Invalid Group: ${reason}`),
  invalidGroupType: (reason: string) => new ApiError(400, `Invalid group type: ${reason}`),
  /** Of a body of actions whose first word is none; without any word it says nothing. */
  noSuchAction: (name: string | undefined) =>
    new ApiError(
      400,
      name === undefined
        ? "Malformed request body"
        : `There is no such action: ${name}. Verify the request body and Content-Type header and try again.`,
    ),
  conflict: (message: string) => new ApiError(409, message),
  noSuchPath: () => new ApiError(404, "The resource could not be found."),
  volumeNotFound: (id: string) => notFound(`Volume ${id}`),
  snapshotNotFound: (id: string) => notFound(`Snapshot ${id}`),
  imageNotFound: (id: string) => notFound(`Image ${id}`),
  imageMetadataNotFound: (id: string) =>
    new ApiError(404, `Glance metadata for volume/snapshot ${id} cannot be found.`),
  groupNotFound: (id: string) => notFound(`Group ${id}`),
  groupSnapshotNotFound: (id: string) => notFound(`GroupSnapshot ${id}`),
  groupTypeNotFound: (id: string) => notFound(`Group type ${id}`),
  groupTypeNotFoundByName: (name: string) => notFound(`Group type with name ${name}`),
  groupQuota: (limit: number) =>
    new ApiError(413, `GroupLimitExceeded: Maximum number of groups allowed (${limit}) exceeded`),
  backupNotFound: (id: string) => notFound(`Backup ${id}`),
  serviceNotFound: (host: string) => new ApiError(404, `Can't find service: ${host}`),
  transferNotFound: (id: string) => notFound(`Transfer ${id}`),
  typeNotFound: (id: string) => notFound(`Volume type ${id}`),
  typeNotFoundByName: (name: string) => notFound(`Volume type with name ${name}`),
  forbidden: (policy: string) => new ApiError(403, `Policy doesn't allow ${policy} to be performed.`),
  notDone: (what: string) => new ApiError(501, `This cloud ${what}.`),
  countQuota: (resource: "volumes" | "snapshots" | "backups", name: string, limit: number) =>
    new ApiError(
      413,
      resource === "volumes"
        ? `VolumeLimitExceeded: Maximum number of volumes allowed (${limit}) exceeded for quota '${name}'.`
        : `${resource === "snapshots" ? "SnapshotLimitExceeded" : "BackupLimitExceeded"}: Maximum number of ${resource} allowed (${limit}) exceeded`,
    ),
  gigabytesQuota: (name: string, requested: number, limit: number, used: number) =>
    new ApiError(
      413,
      name === "backup_gigabytes"
        ? `VolumeBackupSizeExceedsAvailableQuota: Requested backup exceeds allowed Backup gigabytes quota. Requested ${requested}G, quota is ${limit}G and ${used}G has been consumed.`
        : `VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed ${name} quota. Requested ${requested}G, quota is ${limit}G and ${used}G has been consumed.`,
    ),
  volumeSizeLimit: (size: number, limit: number) =>
    new ApiError(
      413,
      `VolumeSizeExceedsLimit: Requested volume size ${size}G is larger than maximum allowed limit ${limit}G.`,
    ),
};
