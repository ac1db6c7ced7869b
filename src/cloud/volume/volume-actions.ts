import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { booleanLike, parseBody } from "../http/body.ts";
import { metadataSchema } from "../http/metadata-routes.ts";
import { isVisible } from "../image/images.ts";
import type { Action, ActionAnswer } from "./action.ts";
import { demandAdmin, ownVolume, type VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import { isPlaceable } from "./placement.ts";
import { changed, type Volume, volumeStatuses } from "./records.ts";
import { typeByReference } from "./type-records.ts";
import { demandRoomFor, imageMetadata } from "./volume-create.ts";
import { deleteVolume } from "./volume-delete.ts";
import { extending } from "./volume-extend.ts";
import { legacyAttachment } from "./volume-legacy-attach.ts";
import { revertVolume } from "./volume-revert.ts";
import { uploadVolume } from "./volume-upload.ts";

const accepted = (after?: () => void): ActionAnswer => ({ status: 202, ...(after === undefined ? {} : { after }) });

/** Puts the volume as the action leaves it. */
function kept({ context }: Action, volume: Volume, after?: () => void): ActionAnswer {
  context.volumes.put(volume);
  return accepted(after);
}

/** `{name: {…}}` */
const inside = <T extends z.ZodType>(name: string, schema: T) =>
  z.strictObject({ [name]: schema }).transform((body) => body[name] as z.infer<T>);

const actions: Record<string, (action: Action) => ActionAnswer> = {
  "os-extend": (action) => {
    const { context, volume, request } = action;
    return kept(action, extending(context, volume, request.body, request.microversion), () =>
      context.lifecycle.extend(volume.id),
    );
  },
  "os-update_readonly_flag": (action) => {
    const { volume, request } = action;
    const { readonly } = parseBody(
      inside("os-update_readonly_flag", z.strictObject({ readonly: booleanLike })),
      request.body,
    );
    if (volume.status !== "available") {
      throw cinder.invalidVolume(
        `Volume ${volume.id} status must be available to update readonly flag, but current status is: ${volume.status}.`,
      );
    }
    return kept(action, changed(volume, { readonly }));
  },
  "os-set_bootable": (action) => {
    const { bootable } = parseBody(
      inside("os-set_bootable", z.strictObject({ bootable: booleanLike })),
      action.request.body,
    );
    return { ...kept(action, changed(action.volume, { bootable })), status: 200 };
  },
  "os-set_image_metadata": (action) => {
    const schema = inside("os-set_image_metadata", z.strictObject({ metadata: metadataSchema }));
    const added = parseBody(schema, action.request.body).metadata;
    const metadata = { ...action.volume.imageMetadata, ...added };
    kept(action, changed(action.volume, { imageMetadata: metadata }));
    return { status: 200, body: { metadata } };
  },
  "os-show_image_metadata": ({ volume }) => ({ status: 200, body: { metadata: volume.imageMetadata ?? {} } }),
  "os-unset_image_metadata": (action) => {
    const schema = inside("os-unset_image_metadata", z.strictObject({ key: z.string().min(1).max(255) }));
    const { key } = parseBody(schema, action.request.body);
    const { [key]: removed, ...imageMetadata } = action.volume.imageMetadata ?? {};
    if (removed === undefined) throw cinder.imageMetadataNotFound(action.volume.id);
    return { ...kept(action, changed(action.volume, { imageMetadata })), status: 200 };
  },
  "os-reset_status": resetStatus,
  "os-force_delete": ({ context, volume, request }) => {
    demandAdmin(request.scope, "volume_extension:volume_admin_actions:force_delete");
    return accepted(deleteVolume(context, volume, { force: true, cascade: false }));
  },
  "os-retype": retype,
  "os-migrate_volume": ({ request }) => {
    demandAdmin(request.scope, "volume_extension:volume_admin_actions:migrate_volume");
    const schema = inside("os-migrate_volume", z.looseObject({ host: z.string().nullable().optional() }));
    const { host } = parseBody(schema, request.body);
    throw cinder.badRequest(`Invalid host: No available service named '${host ?? null}'`);
  },
  "os-migrate_volume_completion": ({ request }) => {
    demandAdmin(request.scope, "volume_extension:volume_admin_actions:migrate_volume_completion");
    throw cinder.invalidVolume("Volume is not being migrated.");
  },
  "os-reimage": reimage,
  "os-volume_upload_image": uploadVolume,
  revert: revertVolume,
  ...legacyAttachment,
};

/** `POST /volumes/{id}/action`. Inside a transaction. @throws ApiError in Cinder's words */
export function volumeAction(
  context: VolumeContext,
  request: Pick<FastifyRequest, "scope" | "microversion" | "body"> & { params: unknown },
): ActionAnswer {
  const names = Object.keys((request.body as object | null | undefined) ?? {});
  const [name] = names;
  const perform = name !== undefined && Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (perform === undefined) throw cinder.noSuchAction(name);
  const { id } = request.params as { id: string };
  return perform({ context, volume: ownVolume(context.volumes, request.scope, id), request });
}

const resetBody = z.strictObject({
  status: z.string().nullable().optional(),
  attach_status: z.string().nullable().optional(),
  migration_status: z.string().nullable().optional(),
});

/** The lists in Cinder's own refusals are Python's. */
const pythonList = (items: readonly string[], [open, close]: [string, string]) =>
  `${open}${items.map((item) => `'${item}'`).join(", ")}${close}`;

const migrationStatuses = ["migrating", "error", "success", "completing", "none", "starting"];

function demandOneOf(what: string, value: string | null | undefined, valid: readonly string[], shown: string): void {
  if (!value || valid.includes(value.toLowerCase())) return;
  throw cinder.badRequest(`${what}: ${value} is invalid, valid statuses are: ${shown}.`);
}

/** For administrators, who know what a volume's status really is. */
function resetStatus(action: Action): ActionAnswer {
  const { volume, request } = action;
  const asked = parseBody(inside("os-reset_status", resetBody), request.body);
  if (!asked.status && !asked.attach_status && !asked.migration_status) {
    throw cinder.badRequest("Must specify 'status', 'attach_status' or 'migration_status' for update.");
  }
  demandOneOf("Volume status", asked.status, volumeStatuses, pythonList(volumeStatuses, ["(", ")"]));
  const attachStatuses = ["attached", "detached"];
  demandOneOf("Volume attach status", asked.attach_status, attachStatuses, pythonList(attachStatuses, ["[", "]"]));
  demandOneOf(
    "Volume migration status",
    asked.migration_status,
    migrationStatuses,
    pythonList(migrationStatuses, ["(", ")"]),
  );
  demandAdmin(request.scope, "volume_extension:volume_admin_actions:reset_status");
  const status = asked.status?.toLowerCase() as Volume["status"] | undefined;
  if (status === "deleting") throw cinder.badRequest(`Cannot reset-state to ${status}`);
  if (status === "in-use" && volume.attachment === null) {
    throw cinder.badRequest("Cannot reset-state to in-use because volume does not have any attachments.");
  }
  const migration = asked.migration_status?.toLowerCase();
  return kept(
    action,
    changed(volume, {
      ...(status === undefined ? {} : { status }),
      ...(asked.attach_status?.toLowerCase() === "detached" ? { attachment: null } : {}),
      ...(migration === undefined ? {} : { migrationStatus: migration === "none" ? null : migration }),
    }),
  );
}

const retypeBody = z.strictObject({
  new_type: z.string(),
  migration_policy: z.enum(["on-demand", "never"]).nullable().optional(),
});

/** Another type is another name for the same backend; where the backend has not what it asks for, the volume stays as it is. */
function retype(action: Action): ActionAnswer {
  const { context, volume, request } = action;
  const { new_type } = parseBody(inside("os-retype", retypeBody), request.body);
  const type = typeByReference(context.types, request.scope, new_type);
  const isReady = volume.status === "available" || volume.status === "in-use";
  if (!isReady || volume.typeId === type.id) {
    throw cinder.invalidVolume(
      "Retype needs volume to be in available or in-use state, not be part of an active migration or a consistency group, requested type has to be different that the one from the volume, and for in-use volumes front-end qos specs cannot change.",
    );
  }
  return isPlaceable(type) ? kept(action, changed(volume, { typeId: type.id })) : accepted();
}

const reimageBody = z.strictObject({ image_id: z.guid(), reimage_reserved: booleanLike.optional() });

/** Gives the volume another image's content, from 3.68 on. */
function reimage(action: Action): ActionAnswer {
  const { context, volume, request } = action;
  if (request.microversion < 68) throw cinder.noSuchPath();
  const asked = parseBody(inside("os-reimage", reimageBody), request.body);
  const statuses = ["available", "error", ...(asked.reimage_reserved === true ? ["reserved"] : [])];
  if (!statuses.includes(volume.status)) {
    throw cinder.invalidVolume(
      `Volume ${volume.id} status must be ${statuses.join(" or ")}, but current status is ${volume.status}.`,
    );
  }
  const image = context.images.get(asked.image_id);
  if (image === undefined || !isVisible(request.scope, image)) throw cinder.imageNotFound(asked.image_id);
  demandRoomFor(image, volume.size);
  const previousStatus = volume.status === "reserved" ? "reserved" : "available";
  const source = { kind: "image", id: image.id } as const;
  return kept(
    action,
    changed(volume, { status: "downloading", previousStatus, source, imageMetadata: imageMetadata(image) }),
    () => context.lifecycle.create(volume.id),
  );
}
