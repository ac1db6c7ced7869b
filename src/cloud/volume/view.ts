import { isoMicrosNoZone } from "../http/time.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { Collection } from "../store/store.ts";
import type { Page } from "./listing.ts";
import { backend } from "./placement.ts";
import type { Snapshot, Volume } from "./records.ts";
import { defaultTypeId, type VolumeType } from "./type-records.ts";

/** What a view needs besides the record. */
export interface ViewContext {
  base: string;
  microversion: number;
  scope: Scope;
}

/** Of whoever asks. @param base as {@link ViewContext.base}, once it is known */
export const viewerAt =
  (base: () => string) =>
  ({ microversion, scope }: Pick<ViewContext, "microversion" | "scope">): ViewContext => ({
    base: base(),
    microversion,
    scope,
  });

/** The address of a path in Cinder, for whoever asks: Cinder takes none with another project's id than the token's. */
function addressOf(path: string, { base, scope }: Pick<ViewContext, "base" | "scope">): string {
  return `${base}/volume/v3/${projectOf(scope).id}${path}`;
}

/** A record's `links`. */
export function linksOf(path: string, context: Pick<ViewContext, "base" | "scope">): { rel: string; href: string }[] {
  const self = addressOf(path, context);
  return [
    { rel: "self", href: self },
    { rel: "bookmark", href: self.replace("/volume/v3/", "/volume/") },
  ];
}

/** A page as Cinder answers it: the items under the list's name, the way to the next page, and how many there are in all. */
export function pageView<T>(
  { items, next, count }: Page<T>,
  { name, path, show }: { name: string; path: string; show: (item: T) => unknown },
  context: ViewContext,
): Record<string, unknown> {
  const links = next && { [`${name}_links`]: [{ rel: "next", href: `${addressOf(path, context)}?${next}` }] };
  return { [name]: items.map(show), ...links, ...(count === undefined ? {} : { count }) };
}

/** The volume as `GET /volumes` lists it. */
export function shortView(volume: Volume, context: ViewContext): Record<string, unknown> {
  return { id: volume.id, name: volume.name, links: linksOf(`/volumes/${volume.id}`, context) };
}

/**
 * The volume as Cinder shows it at the request's microversion: `full` alone and in detailed lists, with less where it was just made or
 * changed.
 */
export function volumeView(
  volume: Volume,
  types: Collection<VolumeType>,
  context: ViewContext,
  kind: "full" | "answer" = "full",
): Record<string, unknown> {
  const { microversion, scope } = context;
  const from = (minor: number, fields: Record<string, unknown>) => (microversion >= minor ? fields : {});
  const admin = isAdmin(scope);
  const { source, typeId = defaultTypeId } = volume;
  const type = types.get(typeId);
  const isPlaced = volume.unplaced !== true && volume.status !== "creating";
  return {
    ...shortView(volume, context),
    status: volume.status,
    size: volume.size,
    availability_zone: volume.availabilityZone,
    created_at: isoMicrosNoZone(volume.createdAt),
    updated_at: volume.updatedAt === null ? null : isoMicrosNoZone(volume.updatedAt),
    description: volume.description,
    volume_type: type?.name ?? typeId,
    snapshot_id: source?.kind === "snapshot" ? source.id : null,
    source_volid: source?.kind === "volume" ? source.id : null,
    metadata: {
      ...volume.metadata,
      ...(volume.readonly === undefined ? {} : { readonly: pythonBoolean(volume.readonly) }),
    },
    user_id: volume.userId,
    bootable: String(volume.bootable ?? false),
    encrypted: false,
    replication_status: null,
    consistencygroup_id: null,
    multiattach: false,
    attachments: attachmentsOf(volume, admin),
    ...(admin ? { migration_status: volume.migrationStatus ?? null } : {}),
    ...(kind === "full" ? extendedFields(volume, admin) : {}),
    ...from(13, { group_id: volume.groupId ?? null }),
    ...(admin ? from(21, { provider_id: null }) : {}),
    ...from(48, { shared_targets: kind === "answer", service_uuid: isPlaced ? backend.serviceUuid : null }),
    ...(admin ? from(61, { cluster_name: null }) : {}),
    ...from(63, { volume_type_id: typeId }),
    ...from(65, { consumes_quota: true }),
  };
}

/** As Python writes it, and Cinder keeps it. */
const pythonBoolean = (value: boolean): string => (value ? "True" : "False");

/** What Cinder's extensions add. */
function extendedFields(volume: Volume, admin: boolean): Record<string, unknown> {
  const { unplaced, imageMetadata = {}, migrationStatus = null } = volume;
  return {
    "os-vol-tenant-attr:tenant_id": volume.projectId,
    ...(Object.keys(imageMetadata).length === 0 ? {} : { volume_image_metadata: imageMetadata }),
    ...(admin && {
      "os-vol-host-attr:host": unplaced === true ? null : backend.place,
      "os-vol-mig-status-attr:migstat": migrationStatus,
      "os-vol-mig-status-attr:name_id": null,
    }),
  };
}

/** A reservation is none yet. */
function attachmentsOf({ id, attachment }: Volume, admin: boolean): unknown[] {
  if (attachment === null || attachment.attachedAt === null) return [];
  return [
    {
      id,
      attachment_id: attachment.id,
      volume_id: id,
      server_id: attachment.serverId,
      host_name: admin ? String(attachment.connector?.host ?? "slipway") : null,
      device: attachment.device,
      attached_at: isoMicrosNoZone(attachment.attachedAt),
    },
  ];
}

/**
 * The snapshot as Cinder shows it: `summary` in short lists, `answer` where it was just made or changed, `full` alone and in detailed
 * lists.
 */
export function snapshotView(
  snapshot: Snapshot,
  { microversion }: ViewContext,
  kind: "summary" | "answer" | "full",
): Record<string, unknown> {
  const from = (minor: number, fields: Record<string, unknown>) =>
    kind !== "summary" && microversion >= minor ? fields : {};
  const extended = {
    "os-extended-snapshot-attributes:progress": snapshot.progress,
    "os-extended-snapshot-attributes:project_id": snapshot.projectId,
  };
  return {
    id: snapshot.id,
    created_at: isoMicrosNoZone(snapshot.createdAt),
    updated_at: snapshot.updatedAt === null ? null : isoMicrosNoZone(snapshot.updatedAt),
    name: snapshot.name,
    description: snapshot.description,
    volume_id: snapshot.volumeId,
    status: snapshot.status,
    size: snapshot.size,
    metadata: snapshot.metadata,
    ...(kind === "full" ? extended : {}),
    ...from(14, { group_snapshot_id: snapshot.groupSnapshotId ?? null }),
    ...from(41, { user_id: snapshot.userId }),
    ...from(65, { consumes_quota: true }),
  };
}
