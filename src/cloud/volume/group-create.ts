import { randomUUID } from "node:crypto";
import { z } from "zod";
import { parseBody } from "../http/body.ts";
import { isoSeconds } from "../http/time.ts";
import type { Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import { ownGroup, ownGroupSnapshot, type VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import { type GroupType, isVisibleGroupType, type VolumeGroup } from "./group-records.ts";
import { demandGroupQuota } from "./quotas.ts";
import type { VolumeSource } from "./records.ts";
import { defaultTypeId, typeByReference } from "./type-records.ts";
import { createVolume } from "./volume-create.ts";

export const text = z.string().max(255).nullable().optional();
const createBody = z.strictObject({
  group: z.strictObject({
    ...{ name: text, description: text, availability_zone: text },
    group_type: z.string().min(1).max(255),
    volume_types: z.array(z.string().max(255)).min(1),
  }),
});
const sourceBody = z.strictObject({
  "create-from-src": z
    .strictObject({
      ...{ name: text, description: text },
      source_group_id: z.guid().optional(),
      group_snapshot_id: z.guid().optional(),
    })
    .refine(
      ({ source_group_id: group, group_snapshot_id: snapshot }) => (group === undefined) !== (snapshot === undefined),
      {
        message: "is not valid under any of the given schemas",
      },
    ),
});

type Named = { name?: string | null | undefined; description?: string | null | undefined };

function newGroup(
  context: VolumeContext,
  scope: Scope,
  { name, description }: Named,
  fields: Pick<VolumeGroup, "status" | "groupTypeId" | "volumeTypeIds"> & Partial<VolumeGroup>,
): VolumeGroup {
  const projectId = projectOf(scope).id;
  demandGroupQuota(context, projectId);
  return context.groups.put({
    ...{ id: randomUUID(), projectId, userId: scope.userId, availabilityZone: "nova" },
    ...{ name: name?.trim() ?? null, description: description?.trim() ?? null },
    ...{ groupSnapshotId: null, sourceGroupId: null, createdAt: isoSeconds(), updatedAt: null, ...fields },
  });
}

function groupTypeOf({ groupTypes }: VolumeContext, scope: Scope, reference: string): GroupType {
  const found = groupTypes.get(reference) ?? groupTypes.find(({ name }) => name === reference);
  if (found !== undefined && isVisibleGroupType(found, scope)) return found;
  if (found !== undefined) throw cinder.groupTypeNotFound(found.id);
  throw z.guid().safeParse(reference).success
    ? cinder.groupTypeNotFound(reference)
    : cinder.groupTypeNotFoundByName(reference);
}

/** A group without volumes. Inside a transaction. @throws ApiError 400, 404, 413 in Cinder's words */
export function createGroup(context: VolumeContext, scope: Scope, input: unknown): VolumeGroup {
  const { group: asked } = parseBody(createBody, input);
  const groupType = groupTypeOf(context, scope, asked.group_type);
  const types = asked.volume_types.map((reference) => typeByReference(context.types, scope, reference).id);
  const zone = asked.availability_zone ?? "nova";
  if (zone !== "nova") throw cinder.invalidInput(`Availability zone '${zone}' is invalid.`);
  return newGroup(context, scope, asked, {
    ...{ status: "available", groupTypeId: groupType.id, volumeTypeIds: [...new Set(types)] },
  });
}

/**
 * A group with a copy of each volume of another group, or of each that a snapshot of one holds; their contents follow. Inside a transaction.
 * @throws ApiError 400, 404, 413 in Cinder's words
 */
export function copyGroup(context: VolumeContext, scope: Scope, input: unknown): VolumeGroup {
  const { "create-from-src": asked } = parseBody(sourceBody, input);
  const taken = asked.group_snapshot_id ? ownGroupSnapshot(context, scope, asked.group_snapshot_id) : undefined;
  const source = ownGroup(context, scope, taken?.groupId ?? asked.source_group_id ?? "");
  const group = newGroup(context, scope, asked, {
    ...{ status: "creating", groupTypeId: source.groupTypeId, volumeTypeIds: source.volumeTypeIds },
    ...{ groupSnapshotId: taken?.id ?? null, sourceGroupId: taken === undefined ? source.id : null },
  });
  const sources: VolumeSource[] =
    taken === undefined
      ? context.volumes.list(({ groupId }) => groupId === source.id).map(({ id }) => ({ kind: "volume", id }))
      : context.snapshots
          .list(({ groupSnapshotId }) => groupSnapshotId === taken.id)
          .map(({ id }) => ({ kind: "snapshot", id }));
  if (sources.length === 0) {
    throw cinder.invalidGroup(
      `${taken === undefined ? "Source Group" : "Group snapshot"} is empty. No group will be created.`,
    );
  }
  for (const { kind, id } of sources) {
    const volume = kind === "volume" ? { source_volid: id } : { snapshot_id: id };
    const made = createVolume(context, scope, { volume }, 0);
    context.volumes.put({ ...made, groupId: group.id });
    const { typeId = defaultTypeId } = made;
    if (!group.volumeTypeIds.includes(typeId)) {
      context.groups.patch(group.id, { volumeTypeIds: [...group.volumeTypeIds, typeId] });
    }
  }
  return group;
}
