import { randomUUID } from "node:crypto";
import { z } from "zod";
import { booleanLike, parseBody } from "../http/body.ts";
import { metadataSchema } from "../http/metadata-routes.ts";
import { isoSeconds } from "../http/time.ts";
import type { Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { Collection } from "../store/store.ts";
import { cinder } from "./errors.ts";
import { demandQuota } from "./quotas.ts";
import type { Volume } from "./records.ts";
import { demandType } from "./types.ts";

const text = z.string().max(255).nullable().optional();
const reference = z.string().nullable().optional();

/** Under their old names too, which Cinder still takes. */
export const naming = { name: text, description: text, display_name: text, display_description: text };

/** What a volume would be made from. */
const sources = {
  snapshot_id: reference,
  source_volid: reference,
  imageRef: reference,
  image_id: reference,
  backup_id: reference,
  consistencygroup_id: reference,
  group_id: reference,
};
const volume = z.object({
  ...naming,
  ...sources,
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

/** Checks a `POST /volumes` as far as Cinder's API does, and makes the volume's record. Synchronous. */
export function createVolume(volumes: Collection<Volume>, scope: Scope, input: unknown, microversion: number): Volume {
  const { volume: body } = parseBody(createBody(microversion), input);
  demandType(body.volume_type);
  if (Object.keys(sources).some((name) => body[name as keyof typeof sources])) {
    throw cinder.notDone("makes empty volumes only: from no snapshot, volume, image or backup, and in no group");
  }
  if (body.multiattach === true) {
    throw cinder.badRequest(
      "multiattach parameter has been removed. The default behavior is to use multiattach enabled volume types. Contact your administrator to create a multiattach enabled volume type and use it to create multiattach volumes.",
    );
  }
  const zone = body.availability_zone ?? "nova";
  if (zone !== "nova") throw cinder.badRequest(`Availability zone '${zone}' is invalid.`);
  const { size } = body;
  if (size === undefined || size === null) {
    throw cinder.badRequest(
      "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    );
  }
  const projectId = projectOf(scope).id;
  demandQuota(volumes, projectId, size);
  return volumes.put({
    id: randomUUID(),
    projectId,
    userId: scope.userId,
    name: body.name ?? body.display_name ?? null,
    description: body.description ?? body.display_description ?? null,
    size,
    status: "creating",
    metadata: body.metadata ?? {},
    availabilityZone: zone,
    attachment: null,
    createdAt: isoSeconds(),
    updatedAt: null,
  });
}
