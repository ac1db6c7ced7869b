import { isoMicrosNoZone } from "../http/time.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { Volume } from "./records.ts";
import { defaultType } from "./types.ts";

/** What a view needs besides the volume. */
export interface ViewContext {
  base: string;
  microversion: number;
  scope: Scope;
}

/** The address of a path in Cinder, for whoever asks: Cinder takes none with another project's id than the token's. */
export function addressOf(path: string, { base, scope }: ViewContext): string {
  return `${base}/volume/v3/${projectOf(scope).id}${path}`;
}

/** The volume as `GET /volumes` lists it. */
export function shortView(volume: Volume, context: ViewContext): Record<string, unknown> {
  const self = addressOf(`/volumes/${volume.id}`, context);
  return {
    id: volume.id,
    name: volume.name,
    links: [
      { rel: "self", href: self },
      { rel: "bookmark", href: self.replace("/volume/v3/", "/volume/") },
    ],
  };
}

/** The volume as `GET /volumes/{id}` shows it at the request's microversion. */
export function volumeView(volume: Volume, context: ViewContext): Record<string, unknown> {
  const { microversion, scope } = context;
  const from = (minor: number, fields: Record<string, unknown>) => (microversion >= minor ? fields : {});
  const admin = isAdmin(scope);
  return {
    ...shortView(volume, context),
    status: volume.status,
    size: volume.size,
    availability_zone: volume.availabilityZone,
    created_at: isoMicrosNoZone(volume.createdAt),
    updated_at: volume.updatedAt === null ? null : isoMicrosNoZone(volume.updatedAt),
    description: volume.description,
    volume_type: defaultType.name,
    snapshot_id: null,
    source_volid: null,
    metadata: volume.metadata,
    user_id: volume.userId,
    bootable: "false",
    encrypted: false,
    replication_status: null,
    consistencygroup_id: null,
    multiattach: false,
    attachments: attachmentsOf(volume, admin),
    "os-vol-tenant-attr:tenant_id": volume.projectId,
    ...(admin ? adminFields : {}),
    ...from(13, { group_id: null }),
    ...(admin ? from(21, { provider_id: null }) : {}),
    ...from(48, { shared_targets: false, service_uuid: null }),
    ...(admin ? from(61, { cluster_name: null }) : {}),
    ...from(63, { volume_type_id: defaultType.id }),
    ...from(65, { consumes_quota: true }),
  };
}

const host = "slipway";

const adminFields = {
  migration_status: null,
  "os-vol-host-attr:host": host,
  "os-vol-mig-status-attr:migstat": null,
  "os-vol-mig-status-attr:name_id": null,
};

/** A reservation is none yet. */
function attachmentsOf({ id, attachment }: Volume, admin: boolean): unknown[] {
  if (attachment === null || attachment.attachedAt === null) return [];
  return [
    {
      id,
      attachment_id: attachment.id,
      volume_id: id,
      server_id: attachment.serverId,
      host_name: admin ? host : null,
      device: attachment.device,
      attached_at: isoMicrosNoZone(attachment.attachedAt),
    },
  ];
}
