import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { booleanLike, parseBody } from "../http/body.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import { demandAdmin, type VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import type { VolumeTables } from "./tables.ts";
import { defaultTypeId } from "./type-records.ts";

/** Cinder's defaults; -1 is no limit. */
const defaults: Record<string, number> = {
  volumes: 10,
  snapshots: 10,
  gigabytes: 1000,
  backups: 10,
  backup_gigabytes: 1000,
  per_volume_gigabytes: -1,
  groups: 10,
};

const classId = (name: string) => `class/${name}`;

/** Every quota's limit where nothing is said of the project: those of the types have none. */
function defaultLimits({ types, quotaLimits }: VolumeTables): Record<string, number> {
  const ofTypes = types
    .list()
    .flatMap(({ name }) => ["volumes", "snapshots", "gigabytes"].map((kind) => [`${kind}_${name}`, -1]));
  return { ...defaults, ...Object.fromEntries(ofTypes), ...quotaLimits.get(classId("default"))?.limits };
}

function limitsOf(tables: VolumeTables, projectId: string): Record<string, number> {
  return { ...defaultLimits(tables), ...tables.quotaLimits.get(projectId)?.limits };
}

/** What a project's volumes, snapshots and backups use, by quota. */
function usage(
  { volumes, snapshots, backups, groups, types }: VolumeTables,
  projectId: string,
): Record<string, number> {
  const ownBackups = backups.list((backup) => backup.projectId === projectId);
  const used: Record<string, number> = {
    ...{ volumes: 0, snapshots: 0, gigabytes: 0, backups: ownBackups.length },
    groups: groups.list((group) => group.projectId === projectId).length,
    backup_gigabytes: ownBackups.reduce((sum, { size }) => sum + size, 0),
  };
  const add = (kind: string, amount: number, typeId = defaultTypeId) => {
    for (const name of [kind, `${kind}_${types.get(typeId)?.name}`]) used[name] = (used[name] ?? 0) + amount;
  };
  for (const { size, typeId } of volumes.list((volume) => volume.projectId === projectId)) {
    add("volumes", 1, typeId);
    add("gigabytes", size, typeId);
  }
  for (const { size, typeId } of snapshots.list((snapshot) => snapshot.projectId === projectId)) {
    add("snapshots", 1, typeId);
    add("gigabytes", size, typeId);
  }
  return used;
}

/** What a request would take: volumes or snapshots of a type, or backups, and GiB. */
export interface Demand {
  volumes?: number;
  snapshots?: number;
  backups?: number;
  gigabytes: number;
  typeId?: string;
}

/** @throws ApiError 413 in Cinder's words where so much more is too much for the project: sizes first, as in Cinder */
export function demandQuota(tables: VolumeTables, projectId: string, demand: Demand): void {
  const limits = limitsOf(tables, projectId);
  const used = usage(tables, projectId);
  const { name: type } = tables.types.get(demand.typeId ?? defaultTypeId) ?? { name: "" };
  const over = (name: string, amount: number) => {
    const limit = limits[name] ?? -1;
    return limit >= 0 && (used[name] ?? 0) + amount > limit;
  };
  const sizes = demand.backups === undefined ? ["gigabytes", `gigabytes_${type}`] : ["backup_gigabytes"];
  for (const name of sizes) {
    if (demand.gigabytes > 0 && over(name, demand.gigabytes)) {
      throw cinder.gigabytesQuota(name, demand.gigabytes, limits[name] ?? 0, used[name] ?? 0);
    }
  }
  for (const kind of ["volumes", "snapshots", "backups"] as const) {
    for (const name of [kind, `${kind}_${type}`]) {
      if (demand[kind] !== undefined && over(name, demand[kind])) {
        throw cinder.countQuota(kind, name, limits[name] ?? 0);
      }
    }
  }
}

/** @throws ApiError 413 where one group more is too much for the project */
export function demandGroupQuota(tables: VolumeTables, projectId: string): void {
  const { groups: limit = -1 } = limitsOf(tables, projectId);
  if (limit >= 0 && (usage(tables, projectId).groups ?? 0) >= limit) throw cinder.groupQuota(limit);
}

/** @throws ApiError 413 for a volume larger than one may be */
export function demandVolumeSize(tables: VolumeTables, projectId: string, size: number): void {
  const limit = limitsOf(tables, projectId).per_volume_gigabytes ?? -1;
  if (limit >= 0 && size > limit) throw cinder.volumeSizeLimit(size, limit);
}

/** `{name: number}`, numbers as text too; other fields of a client's are overlooked. */
const limitsBody = (key: string) => z.strictObject({ [key]: z.record(z.string(), z.unknown()) });
const limit = z.coerce.number().int().min(-1).max(0x7fffffff);

interface OfProject {
  Params: { id: string };
  Querystring: { usage?: string };
}

/** `/limits`, `/os-quota-sets` and `/os-quota-class-sets`. */
export function quotaRoutes(app: FastifyInstance, context: VolumeContext): void {
  const { store, quotaLimits } = context;
  app.get<{ Querystring: { project_id?: string } }>("/limits", ({ scope, query }) => {
    const projectId = (owns(scope, query.project_id ?? "") ? query.project_id : undefined) ?? projectOf(scope).id;
    const used = usage(context, projectId);
    const limits = limitsOf(context, projectId);
    return {
      limits: {
        rate: [],
        absolute: {
          maxTotalVolumes: limits.volumes,
          maxTotalSnapshots: limits.snapshots,
          maxTotalVolumeGigabytes: limits.gigabytes,
          maxTotalBackups: limits.backups,
          maxTotalBackupGigabytes: limits.backup_gigabytes,
          totalVolumesUsed: used.volumes,
          totalGigabytesUsed: used.gigabytes,
          totalSnapshotsUsed: used.snapshots,
          totalBackupsUsed: used.backups,
          totalBackupGigabytesUsed: used.backup_gigabytes,
        },
      },
    };
  });

  const visible = (scope: Scope, projectId: string) => {
    if (!owns(scope, projectId)) throw cinder.forbidden("volume_extension:quotas:show");
  };
  app.get<OfProject>("/os-quota-sets/:id", ({ scope, params, query }) => {
    visible(scope, params.id);
    const limits = limitsOf(context, params.id);
    if (!parseBody(booleanLike, query.usage ?? false)) return { quota_set: { ...limits, id: params.id } };
    const used = usage(context, params.id);
    const detail = Object.entries(limits).map(([name, value]) => [
      name,
      { limit: value, in_use: used[name] ?? 0, reserved: 0 },
    ]);
    return { quota_set: { ...Object.fromEntries(detail), id: params.id } };
  });
  app.get<OfProject>("/os-quota-sets/:id/defaults", ({ scope, params }) => {
    visible(scope, params.id);
    return { quota_set: { ...defaultLimits(context), id: params.id } };
  });
  app.put<OfProject>("/os-quota-sets/:id", ({ scope, params, body }) => {
    demandAdmin(scope, "volume_extension:quotas:update");
    const asked = parseBody(limitsBody("quota_set"), body).quota_set ?? {};
    store.transaction(() => {
      const used = usage(context, params.id);
      const set = known(context, asked);
      for (const [name, value] of Object.entries(set)) demandAboveUse(name, value, used[name] ?? 0);
      quotaLimits.put({ id: params.id, limits: { ...quotaLimits.get(params.id)?.limits, ...set } });
    });
    return { quota_set: limitsOf(context, params.id) };
  });
  app.delete<OfProject>("/os-quota-sets/:id", ({ scope, params }, reply) => {
    demandAdmin(scope, "volume_extension:quotas:delete");
    quotaLimits.delete(params.id);
    return reply.code(200).send();
  });

  app.get<OfProject>("/os-quota-class-sets/:id", ({ scope, params }) => {
    demandAdmin(scope, "volume_extension:quota_classes:get");
    return { quota_class_set: { ...ofClass(context, params.id), id: params.id } };
  });
  app.put<OfProject>("/os-quota-class-sets/:id", ({ scope, params, body }) => {
    demandAdmin(scope, "volume_extension:quota_classes:update");
    const set = known(context, parseBody(limitsBody("quota_class_set"), body).quota_class_set ?? {});
    const id = classId(params.id);
    quotaLimits.put({ id, limits: { ...quotaLimits.get(id)?.limits, ...set } });
    return { quota_class_set: ofClass(context, params.id) };
  });
}

function ofClass(tables: VolumeTables, name: string): Record<string, number> {
  return { ...defaultLimits(tables), ...tables.quotaLimits.get(classId(name))?.limits };
}

/** What there are quotas of; Cinder overlooks other names. @throws ApiError 400 for what is no limit */
function known(tables: VolumeTables, asked: Record<string, unknown>): Record<string, number> {
  const names = Object.keys(defaultLimits(tables));
  return Object.fromEntries(
    Object.entries(asked)
      .filter(([name]) => names.includes(name))
      .map(([name, value]) => [name, parseBody(limit, value)]),
  );
}

function demandAboveUse(name: string, value: number, used: number): void {
  if (name === "per_volume_gigabytes" || value === -1 || value >= used) return;
  throw cinder.badRequest(
    `Quota ${name} limit must be equal or greater than existing resources. Current usage is ${used} and the requested limit is ${value}.`,
  );
}
