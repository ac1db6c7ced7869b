import { SlipwayError } from "../../common/errors.ts";
import type { PropertyMap } from "../../engine/resource-provider.ts";
import { findVolume, listVolumes, type Volume } from "../../openstack/volume/volumes.ts";
import { deleteUnlessGone, untilGone, untilStatus } from "../../openstack/waiting.ts";
import { brokenByStatus, neverUsable } from "../broken.ts";
import type { Context, ResourceChange, ResourceKind } from "../kind.ts";
import { toApi } from "../schema/api-form.ts";
import { anObject, aString, flag, integer, list, map, type Properties, set, text } from "../schema/property.ts";
import { isMap, mapsOf, textOf } from "../schema/values.ts";
import { observeVolume } from "./observe.ts";

const hintFields: Properties = {
  differentHosts: list(aString, { field: "different_host", replaces: true }),
  sameHosts: list(aString, { field: "same_host", replaces: true }),
  localToInstance: text({ field: "local_to_instance", replaces: true }),
  query: text({ field: "query", replaces: true }),
  additionalProperties: map({ replaces: true }),
};

const attachment = anObject({
  id: text({ output: true, computed: true }),
  instanceId: text({ output: true, computed: true }),
  device: text({ output: true, computed: true }),
});

/** A volume whose create ended in an error holds nothing yet. */
const beforeUse = { pending: ["creating", "downloading"], witness: "attachments" };

/** What a volume is made from: one of them. */
const sources = ["snapshotId", "sourceVolId", "imageId", "backupId"];
const source = (field: string, name: string, kept = false) =>
  text({ field, replaces: true, kept, conflictsWith: sources.filter((other) => other !== name) });

const properties: Properties = {
  region: text({ computed: true, replaces: true }),
  name: text({ field: "name" }),
  description: text({ field: "description" }),
  size: integer({ field: "size", required: true }),
  metadata: map({ field: "metadata", computed: true }),
  availabilityZone: text({ field: "availability_zone", computed: true, replaces: true }),
  volumeType: text({ field: "volume_type", computed: true, replaces: true }),
  snapshotId: source("snapshot_id", "snapshotId"),
  sourceVolId: source("source_volid", "sourceVolId"),
  imageId: source("imageRef", "imageId", true),
  backupId: source("backup_id", "backupId"),
  sourceReplica: text({ field: "source_replica", kept: true, replaces: true }),
  consistencyGroupId: text({ field: "consistencygroup_id", kept: true, replaces: true }),
  multiattach: flag({ field: "multiattach", kept: true, deprecated: true }),
  enableOnlineResize: flag({ kept: true }),
  schedulerHints: set(anObject(hintFields), { kept: true }),
  attachments: set(attachment, { output: true, computed: true }),
};

/** `openstack_blockstorage_volume_v3`. */
export const volume: ResourceKind = {
  type: "openstack:blockstorage/volume:Volume",
  autoName: true,
  timeouts: { create: 600, delete: 600 },
  properties,

  async create({ session }, inputs) {
    const hints = mapsOf(inputs, "schedulerHints").map((hint) => ({
      ...toApi(hintFields, hint),
      ...(isMap(hint.additionalProperties) ? hint.additionalProperties : {}),
    }));
    const made = await session.request<{ volume: Volume }>("volumev3", "POST", "/volumes", {
      body: {
        volume: toApi(properties, inputs),
        ...(hints[0] === undefined ? {} : { "OS-SCH-HNT:scheduler_hints": hints[0] }),
      },
      ...(textOf(inputs, "backupId") === undefined ? {} : { microversion: "3.47" }),
    });
    return { id: made.body.volume.id, requestId: made.requestId };
  },

  settle: (context, id, inputs) =>
    untilStatus(context, `volume ${textOf(inputs, "name")} (${id})`, ["available", "in-use"], () =>
      observeVolume(context, id),
    ),

  async read(context, id, inputs, olds) {
    const found = await findVolume(context.session, id);
    return found === undefined
      ? undefined
      : { ...stateOf(found), ...neverUsable(beforeUse, found.status, inputs, olds) };
  },

  update: updateVolume,

  async delete(context, id) {
    const found = await findVolume(context.session, id);
    if (found === undefined) return;
    await detachFromAll(context, found);
    // 400: still in use or busy, Cinder's word for 409
    const remove = () => context.session.request("volumev3", "DELETE", `/volumes/${id}`);
    if (found.status !== "deleting") await deleteUnlessGone(context, remove, [400, 409]);
    await untilGone(context, `volume ${id}`, async () => {
      const seen = await observeVolume(context, id);
      if (seen?.status === "error_deleting") refuseFailedDelete(found);
      return seen;
    });
  },

  async candidates({ session }, inputs) {
    const query = { name: textOf(inputs, "name") };
    const listed = await listVolumes(session, query);
    const wanted = isMap(inputs.metadata) ? inputs.metadata : {};
    return listed
      .filter((one) => one.size === inputs.size && (one.description ?? "") === (textOf(inputs, "description") ?? ""))
      .filter((one) => Object.entries(wanted).every(([key, value]) => one.metadata[key] === value))
      .filter((one) => (one.snapshot_id ?? "") === (textOf(inputs, "snapshotId") ?? ""))
      .filter((one) => (one.source_volid ?? "") === (textOf(inputs, "sourceVolId") ?? ""))
      .filter((one) => one.attachments.length === 0)
      .map((one) => ({ id: one.id, createdAt: one.created_at }));
  },

  brokenBy: brokenByStatus,
};

function stateOf(found: Volume): PropertyMap {
  return {
    name: found.name ?? "",
    description: found.description ?? "",
    size: found.size,
    metadata: found.metadata,
    availabilityZone: found.availability_zone ?? "",
    volumeType: found.volume_type ?? "",
    snapshotId: found.snapshot_id ?? "",
    sourceVolId: found.source_volid ?? "",
    backupId: found.backup_id ?? "",
    attachments: found.attachments.map((one) => ({
      id: one.id,
      instanceId: one.server_id,
      device: one.device ?? "",
    })),
  };
}

/** The size first, then names and metadata in one call, as the official provider does. */
async function updateVolume(context: Context, id: string, { inputs, changed }: ResourceChange): Promise<void> {
  if (changed.has("size")) await extend(context, id, inputs);
  if (!["name", "description", "metadata"].some((name) => changed.has(name))) return;
  await context.session.request("volumev3", "PUT", `/volumes/${id}`, {
    body: {
      volume: {
        name: textOf(inputs, "name") ?? "",
        description: textOf(inputs, "description") ?? "",
        ...(changed.has("metadata") && isMap(inputs.metadata) ? { metadata: inputs.metadata } : {}),
      },
    },
  });
}

/** Extends the volume; one in use needs the program's word for it, and Cinder's 3.42. */
async function extend(context: Context, id: string, inputs: PropertyMap): Promise<void> {
  const inUse = (await findVolume(context.session, id))?.status === "in-use";
  if (inUse && inputs.enableOnlineResize !== true) {
    throw new SlipwayError("E_UPDATE_FAILED", `volume ${id} is in use and cannot be extended`, {
      hint: "Set enableOnlineResize to true, or detach the volume first.",
    });
  }
  const size = Number(inputs.size);
  await context.session.request("volumev3", "POST", `/volumes/${id}/action`, {
    body: { "os-extend": { new_size: size } },
    ...(inUse ? { microversion: "3.42" } : {}),
  });
  await untilStatus(context, `volume ${id}`, ["extended"], async () => {
    const seen = await findVolume(context.session, id);
    if (seen === undefined) return undefined;
    return { status: seen.size >= size && !/^extending$|^error/.test(seen.status) ? "extended" : seen.status };
  });
}

/** Nova's servers give the volume up; those that are gone already have. */
async function detachFromAll(context: Context, found: Volume): Promise<void> {
  for (const { id, server_id: serverId } of found.attachments) {
    const path = `/servers/${serverId}/os-volume_attachments/${id}`;
    await deleteUnlessGone(context, () => context.session.request("compute", "DELETE", path), [400, 409]);
  }
  if (found.attachments.length === 0) return;
  await untilStatus(context, `volume ${found.id}`, ["available"], () => observeVolume(context, found.id));
}

function refuseFailedDelete({ id, name }: Volume): never {
  throw new SlipwayError("E_UPDATE_FAILED", `volume ${name ?? ""} (${id}) could not be deleted: error_deleting`, {
    hint: "Run the command again; if it stays, ask the cloud's operators with the volume's id.",
  });
}
