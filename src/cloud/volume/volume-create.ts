import { randomUUID } from "node:crypto";
import { z } from "zod";
import { booleanLike, parseBody } from "../http/body.ts";
import { metadataSchema } from "../http/metadata-routes.ts";
import { isoSeconds } from "../http/time.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import { isVisible } from "../image/images.ts";
import type { Image } from "../image/records.ts";
import type { Backup } from "./backup-records.ts";
import { ownGroup, ownSnapshot, ownVolume, type VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import type { VolumeGroup } from "./group-records.ts";
import { demandQuota, demandVolumeSize } from "./quotas.ts";
import type { Snapshot, Volume, VolumeSource } from "./records.ts";
import { defaultTypeId, typeByReference, type VolumeType } from "./type-records.ts";

const text = z.string().max(255).nullable().optional();
const reference = z.string().nullable().optional();

/** Under their old names too, which Cinder still takes. */
export const naming = { name: text, description: text, display_name: text, display_description: text };

const volume = z.object({
  ...naming,
  snapshot_id: reference,
  source_volid: reference,
  imageRef: reference,
  image_id: reference,
  backup_id: reference,
  consistencygroup_id: reference,
  group_id: reference,
  size: z
    .union([
      z.number().int().min(1),
      z
        .string()
        .regex(/^[1-9]\d*$/)
        .transform(Number),
    ])
    .nullable()
    .optional(),
  volume_type: reference,
  metadata: metadataSchema.nullable().optional(),
  availability_zone: reference,
  multiattach: booleanLike.nullable().optional(),
});
const hints = z.record(z.string(), z.unknown()).nullable().optional();

/** From 3.53 on unknown fields are refused. */
const createBody = (microversion: number) =>
  z.strictObject({
    volume: microversion >= 53 ? volume.strict() : volume,
    "OS-SCH-HNT:scheduler_hints": hints,
  });

/** What a volume is made from, and what it gets of it. */
interface Origin {
  source?: VolumeSource;
  /** GiB that there are at least, and where no size is asked for. */
  size?: number;
  typeId?: string;
  zone?: string;
  bootable?: boolean;
  imageMetadata?: Record<string, string>;
  metadata?: Record<string, string>;
}

/**
 * Checks a `POST /volumes` as far as Cinder's API does, and makes the volume's record; its content follows. Synchronous.
 * @throws ApiError 400, 404, 413 in Cinder's words
 */
export function createVolume(context: VolumeContext, scope: Scope, input: unknown, microversion: number): Volume {
  const { volume: body } = parseBody(createBody(microversion), input);
  const asked = body.volume_type ? typeByReference(context.types, scope, body.volume_type) : undefined;
  const origin = originOf(context, scope, body);
  if (body.multiattach === true) {
    throw cinder.badRequest(
      "multiattach parameter has been removed. The default behavior is to use multiattach enabled volume types. Contact your administrator to create a multiattach enabled volume type and use it to create multiattach volumes.",
    );
  }
  const group = body.group_id ? ownGroup(context, scope, body.group_id) : undefined;
  if (group !== undefined) demandTypeOfGroup(group, asked);
  const projectId = projectOf(scope).id;
  const type = asked ?? context.types.get(origin.typeId ?? defaultTypeOf(context, projectId));
  if (asked !== undefined && origin.typeId !== undefined && asked.id !== origin.typeId) {
    throw cinder.invalidInput(
      `Invalid volume_type provided: ${asked.id} (requested type is not compatible; either match source volume, or omit type argument).`,
    );
  }
  const size = sizeOf(body.size ?? undefined, origin);
  if (origin.source?.kind === "image") demandRoomFor(context.images.get(origin.source.id), size);
  const zone = body.availability_zone ?? origin.zone ?? "nova";
  if (zone !== "nova") throw cinder.badRequest(`Availability zone '${zone}' is invalid.`);
  const typeId = type?.id ?? defaultTypeId;
  demandVolumeSize(context, projectId, size);
  demandQuota(context, projectId, { volumes: 1, gigabytes: size, typeId });
  return context.volumes.put({
    id: randomUUID(),
    projectId,
    userId: scope.userId,
    name: body.name ?? body.display_name ?? null,
    description: body.description ?? body.display_description ?? null,
    size,
    status: "creating",
    metadata: origin.metadata ?? body.metadata ?? {},
    availabilityZone: zone,
    attachment: null,
    typeId,
    ...(origin.source === undefined ? {} : { source: origin.source }),
    ...(group === undefined ? {} : { groupId: group.id }),
    ...(origin.bootable === undefined ? {} : { bootable: origin.bootable }),
    ...(origin.imageMetadata === undefined ? {} : { imageMetadata: origin.imageMetadata }),
    createdAt: isoSeconds(),
    updatedAt: null,
  });
}

/** @throws ApiError 400 for a type that the group is not for */
function demandTypeOfGroup({ volumeTypeIds }: VolumeGroup, type: VolumeType | undefined): void {
  if (type === undefined) {
    throw cinder.invalidInput("volume_type must be provided when creating a volume in a group.");
  }
  if (!volumeTypeIds.includes(type.id)) {
    throw cinder.invalidInput(
      `Invalid volume_type ${type.id} provided (requested type must be supported by this group).`,
    );
  }
}

function defaultTypeOf({ defaultTypes }: VolumeContext, projectId: string): string {
  return defaultTypes.get(projectId)?.typeId ?? defaultTypeId;
}

/** @throws ApiError 400, 404 for a source that there is not, or that is not ready */
function originOf(context: VolumeContext, scope: Scope, body: z.infer<typeof volume>): Origin {
  const { volumes, snapshots, images } = context;
  const snapshot = body.snapshot_id ? ownSnapshot(snapshots, scope, body.snapshot_id) : undefined;
  const origin = body.source_volid ? ownVolume(volumes, scope, body.source_volid) : undefined;
  if (body.consistencygroup_id) throw cinder.groupNotFound(body.consistencygroup_id);
  const imageReference = body.imageRef ?? body.image_id;
  const image = imageReference ? imageByReference(images, scope, imageReference) : undefined;
  const backup = body.backup_id ? context.backups.get(body.backup_id) : undefined;
  if (body.backup_id && (backup === undefined || !owns(scope, backup.projectId))) {
    throw cinder.backupNotFound(body.backup_id);
  }
  if (backup !== undefined) return ofBackup(backup);
  if (snapshot !== undefined) return ofSnapshot(snapshot, volumes.get(snapshot.volumeId));
  if (origin !== undefined) return ofVolume(origin);
  return image === undefined ? {} : { source: { kind: "image", id: image.id }, imageMetadata: imageMetadata(image) };
}

function ofSnapshot(snapshot: Snapshot, volume: Volume | undefined): Origin {
  if (snapshot.status !== "available") {
    throw cinder.invalidSnapshot("Originating snapshot status must be one of 'available' values");
  }
  return {
    source: { kind: "snapshot", id: snapshot.id },
    size: snapshot.size,
    typeId: snapshot.typeId ?? defaultTypeId,
    ...(volume === undefined ? {} : { zone: volume.availabilityZone }),
    imageMetadata: snapshot.imageMetadata,
  };
}

function ofBackup({ id, status, size, volume }: Backup): Origin {
  if (status !== "available") {
    throw cinder.invalidBackup("Originating backup status must be one of 'available' values");
  }
  const { bootable = false, imageMetadata = {}, metadata } = volume;
  return {
    ...{ source: { kind: "backup", id }, size, bootable, imageMetadata },
    metadata: { ...metadata, src_backup_id: id },
  };
}

function ofVolume(volume: Volume): Origin {
  if (volume.status !== "available" && volume.status !== "in-use") {
    throw cinder.invalidVolume("Originating source volume status must be one of 'available, in-use' values");
  }
  return {
    source: { kind: "volume", id: volume.id },
    size: volume.size,
    typeId: volume.typeId ?? defaultTypeId,
    zone: volume.availabilityZone,
    ...(volume.imageMetadata === undefined ? {} : { imageMetadata: volume.imageMetadata }),
  };
}

/** @throws ApiError 400 */
function sizeOf(asked: number | undefined, { source, size: least }: Origin): number {
  const size = asked ?? least;
  if (size === undefined) {
    throw cinder.badRequest(
      "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    );
  }
  if (least === undefined || size >= least) return size;
  if (source?.kind === "backup") {
    throw cinder.invalidInput(
      `Volume size ${size}GB cannot be smaller than the backup size ${least}GB. It must be >= backup size.`,
    );
  }
  throw cinder.invalidInput(
    source?.kind === "snapshot"
      ? `Volume size '${size}'GB cannot be smaller than the snapshot size ${least}GB. They must be >= original snapshot size.`
      : `Volume size '${size}'GB cannot be smaller than original volume size  ${least}GB. They must be >= original volume size.`,
  );
}

/** An image by id, by an address that ends in it, or by name. @throws ApiError 400, 409 */
function imageByReference(images: VolumeContext["images"], scope: Scope, reference: string): Image {
  const byId = images.get(reference.split("/").at(-1) ?? "");
  if (byId !== undefined && isVisible(scope, byId)) return byId;
  const named = images.list((image) => image.name === reference && !image.hidden && isVisible(scope, image));
  if (named.length > 1) {
    throw cinder.conflict(`Multiple matches found for '${reference}', use an ID to be more specific.`);
  }
  const [found] = named;
  if (found === undefined) throw cinder.badRequest("Invalid image identifier or unable to access requested image.");
  return found;
}

/** @throws ApiError 400 for an image that is not active, or too large for a volume of so many GiB */
export function demandRoomFor(image: Image | undefined, size: number): void {
  if (image === undefined) return;
  if (image.status !== "active") throw cinder.invalidInput(`Image ${image.id} is not active.`);
  const imageSize = Math.ceil((image.size ?? 0) / 1024 ** 3);
  if (imageSize > size) {
    throw cinder.invalidInput(`Size of specified image ${imageSize}GB is larger than volume size ${size}GB.`);
  }
  if (size < image.minDisk) {
    throw cinder.invalidInput(
      `Volume size ${size}GB cannot be smaller than the image minDisk size ${image.minDisk}GB.`,
    );
  }
}

/** What Cinder remembers of the image that a volume's content is of. */
export function imageMetadata(image: Image): Record<string, string> {
  const attributes: Record<string, unknown> = {
    ...image.properties,
    image_id: image.id,
    image_name: image.name === "" ? null : image.name,
    checksum: image.checksum,
    container_format: image.containerFormat,
    disk_format: image.diskFormat,
    min_disk: image.minDisk,
    min_ram: image.minRam,
    size: image.size,
  };
  const known = Object.entries(attributes).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(known.map(([name, value]) => [name, String(value)]));
}
