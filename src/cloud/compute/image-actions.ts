import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import { createImage } from "../image/images.ts";
import type { Image } from "../image/records.ts";
import { type Action, type Actions, begin, demandState } from "./action.ts";
import { limitsOf } from "./quota-limits.ts";
import type { TaskState, VmState } from "./records.ts";
import { count, metadata, name } from "./schema-types.ts";
import { volumeBackedImage } from "./volume-backed-image.ts";

const imageBody = z.strictObject({ createImage: z.strictObject({ name, metadata: metadata.optional() }) });
const backupBody = z.strictObject({
  createBackup: z.strictObject({
    name,
    backup_type: z.string(),
    rotation: count(0),
    metadata: metadata.optional(),
  }),
});

const states: VmState[] = ["active", "stopped", "paused", "suspended"];

/** Images that are made of servers. */
export const imageActions: Actions = {
  createImage: (action) => {
    const asked = parseSchema(imageBody, action.body).createImage;
    demandFew(action, asked.metadata);
    demandState(action.server, "createImage", { states });
    if (action.server.volumeBacked) return takeOfVolumes(action, asked.name, asked.metadata ?? {});
    return take(action, "createImage", "image_snapshot", asked.name, { image_type: "snapshot", ...asked.metadata });
  },
  createBackup: (action) => {
    const asked = parseSchema(backupBody, action.body).createBackup;
    demandFew(action, asked.metadata);
    demandState(action.server, "createBackup", { states });
    if (action.server.volumeBacked) {
      throw new ApiError(400, "Backup is not supported for volume-backed instances.");
    }
    const properties = { ...asked.metadata, image_type: "backup", backup_type: asked.backup_type };
    return take(action, "createBackup", "image_backup", asked.name, properties, asked.rotation);
  },
};

/** Nova's own limit for metadata of images, until 2.38. */
function demandFew({ context, server, microversion }: Action, given: Record<string, string> = {}): void {
  const most = limitsOf(context.quotas, server.projectId).metadata_items;
  if (microversion <= 38 && most >= 0 && Object.keys(given).length > most) {
    throw new ApiError(403, "Image metadata limit exceeded");
  }
}

/** Properties of an image that a snapshot of a server made from it does not take over. */
const ownProperties = new Set(["slipway_digest", "image_type", "instance_uuid", "backup_type", "base_image_ref"]);

/** Registers the image, to be filled behind the answer. @param rotation how many backups of the kind are kept */
function take(
  action: Action,
  called: string,
  task: TaskState,
  imageName: string,
  properties: Record<string, string>,
  rotation?: number,
) {
  const { context, scope, server } = action;
  const image = context.store.transaction(() => {
    const made = snapshotImage(action, imageName, properties);
    begin(action, called, task, { snapshot: { imageId: made.id, rotation: rotation ?? null } });
    return made;
  });
  context.lifecycle.snapshot(server.id);
  return told(action, called, image.id, rotation);

  function snapshotImage(of: Action, named: string, more: Record<string, string>): Image {
    const base = context.images.get(of.server.imageId);
    const inherited = Object.entries(base?.properties ?? {}).filter(([key]) => !ownProperties.has(key));
    return createImage(context.images, scope, {
      name: named,
      visibility: "private",
      min_disk: Math.max(of.server.flavor.disk, base?.minDisk ?? 0),
      min_ram: base?.minRam ?? 0,
      ...Object.fromEntries(inherited),
      base_image_ref: of.server.imageId,
      ...more,
      instance_uuid: of.server.id,
      user_id: scope.userId,
    });
  }
}

/** Registers the image of a server that runs from a volume, whose volumes are copied behind the answer. */
function takeOfVolumes(action: Action, imageName: string, metadata: Record<string, string>) {
  const { store, cinder } = action.context;
  const { image, snapshotIds } = store.transaction(() => volumeBackedImage(action, imageName, metadata));
  void cinder.lifecycle.createSnapshots(snapshotIds);
  return told(action, "createImage", image.id);
}

/** Which image it is: since 2.45 the body tells what was a header before. */
function told({ context, microversion, reply }: Action, called: string, imageId: string, rotation?: number) {
  reply.code(202);
  if (microversion >= 45) return reply.send({ image_id: imageId });
  const base = called === "createImage" ? `${context.base()}/image/v2/images` : `${context.base()}/compute/v2.1/images`;
  if (rotation !== 0) reply.header("location", `${base}/${imageId}`);
  return reply.send();
}
