import type { FastifyInstance } from "fastify";
import { booleanLike, parseBody } from "../http/body.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { Collection } from "../store/store.ts";
import { cinder } from "./errors.ts";
import type { Volume } from "./records.ts";
import { defaultType } from "./types.ts";

/** Cinder's defaults; -1 is no limit. */
const quotas: Record<string, number> = {
  volumes: 10,
  snapshots: 10,
  gigabytes: 1000,
  backups: 10,
  backup_gigabytes: 1000,
  per_volume_gigabytes: -1,
  groups: 10,
  [`volumes_${defaultType.name}`]: -1,
  [`snapshots_${defaultType.name}`]: -1,
  [`gigabytes_${defaultType.name}`]: -1,
};

/** What a project's volumes use. */
function usage(volumes: Collection<Volume>, projectId: string): Record<string, number> {
  const own = volumes.list((volume) => volume.projectId === projectId);
  const used = { volumes: own.length, gigabytes: own.reduce((sum, volume) => sum + volume.size, 0) };
  const ofType = Object.entries(used).map(([name, count]) => [`${name}_${defaultType.name}`, count]);
  return { ...used, ...Object.fromEntries(ofType) };
}

/** @throws ApiError 413 where one more volume of this size is too much for its project. @param size GiB */
export function demandQuota(volumes: Collection<Volume>, projectId: string, size: number): void {
  demandGigabytes(volumes, projectId, size);
  const { volumes: count = 0 } = usage(volumes, projectId);
  const { volumes: limit = 0 } = quotas;
  if (count + 1 > limit) throw cinder.volumesQuota(limit);
}

/** @throws ApiError 413 where so many GiB more are too much for the project */
export function demandGigabytes(volumes: Collection<Volume>, projectId: string, size: number): void {
  const { gigabytes = 0 } = usage(volumes, projectId);
  const { gigabytes: limit = 0 } = quotas;
  if (gigabytes + size > limit) throw cinder.gigabytesQuota(size, limit, gigabytes);
}

/** `/limits` and `/os-quota-sets` */
export function quotaRoutes(app: FastifyInstance, volumes: Collection<Volume>): void {
  app.get("/limits", ({ scope }) => {
    const used = usage(volumes, projectOf(scope).id);
    return {
      limits: {
        rate: [],
        absolute: {
          maxTotalVolumes: quotas.volumes,
          maxTotalVolumeGigabytes: quotas.gigabytes,
          maxTotalSnapshots: quotas.snapshots,
          maxTotalBackups: quotas.backups,
          maxTotalBackupGigabytes: quotas.backup_gigabytes,
          totalVolumesUsed: used.volumes,
          totalGigabytesUsed: used.gigabytes,
          totalSnapshotsUsed: 0,
          totalBackupsUsed: 0,
          totalBackupGigabytesUsed: 0,
        },
      },
    };
  });

  type OfProject = { Params: { id: string }; Querystring: { usage?: string } };
  const visible = (scope: Scope, projectId: string) => {
    if (!owns(scope, projectId)) throw cinder.forbidden("volume_extension:quotas:show");
  };
  app.get<OfProject>("/os-quota-sets/:id", ({ scope, params, query }) => {
    visible(scope, params.id);
    if (!parseBody(booleanLike, query.usage ?? false)) return { quota_set: { ...quotas, id: params.id } };
    const used = usage(volumes, params.id);
    const detail = Object.entries(quotas).map(([name, limit]) => [
      name,
      { limit, in_use: used[name] ?? 0, reserved: 0 },
    ]);
    return { quota_set: { ...Object.fromEntries(detail), id: params.id } };
  });
  app.get<OfProject>("/os-quota-sets/:id/defaults", ({ scope, params }) => {
    visible(scope, params.id);
    return { quota_set: { ...quotas, id: params.id } };
  });
}
