import { z } from "zod";
import { booleanLike, parseBody } from "../http/body.ts";
import { isoMicrosNoZone } from "../http/time.ts";
import { newImage } from "../image/images.ts";
import type { Action, ActionAnswer } from "./action.ts";
import { demandAdmin } from "./context.ts";
import { cinder } from "./errors.ts";
import { changed } from "./records.ts";
import { defaultTypeId } from "./type-records.ts";

const base = {
  image_name: z.string().min(1).max(255),
  force: booleanLike.optional(),
  disk_format: z.enum(["raw", "vmdk", "vdi", "qcow2", "vhd", "vhdx", "ploop"]).optional(),
  container_format: z.string().max(255).nullable().optional(),
};
const visibility = {
  visibility: z.enum(["community", "public", "private", "shared"]).optional(),
  protected: booleanLike.optional(),
};

/** What an image keeps of the one that the volume was made from is told by these in the image's own fields. */
const ownFields = new Set(["image_id", "image_name", "checksum", "container_format", "disk_format", "size"]);

/** `os-volume_upload_image`: an image of the volume's content. One in use is copied where that is forced. */
export function uploadVolume({ context, volume, request }: Action): ActionAnswer {
  const { microversion, scope } = request;
  const fields = microversion >= 1 ? { ...base, ...visibility } : base;
  const body = parseBody(z.strictObject({ "os-volume_upload_image": z.strictObject(fields) }), request.body);
  const asked = body["os-volume_upload_image"] as z.infer<z.ZodObject<typeof base & typeof visibility>>;
  if (asked.visibility === "public") demandAdmin(scope, "volume_extension:volume_actions:upload_public");
  const statuses = asked.force === true ? ["available", "in-use"] : ["available"];
  if (!statuses.includes(volume.status)) {
    throw cinder.invalidVolume(`Volume ${volume.id} status must be ${statuses.join(" or ")}`);
  }
  const { disk_format: diskFormat = "raw", container_format: containerFormat } = asked;
  if (diskFormat === "ploop") throw cinder.badRequest("Image format ploop is not made by this cloud.");
  if (containerFormat && containerFormat !== "bare") {
    throw cinder.badRequest(`Container format ${containerFormat} is not made by this cloud.`);
  }
  const { min_disk, min_ram, ...remembered } = volume.imageMetadata ?? {};
  const properties = Object.fromEntries(Object.entries(remembered).filter(([name]) => !ownFields.has(name)));
  const image = context.images.put({
    ...newImage(volume.projectId),
    name: asked.image_name,
    visibility: microversion >= 1 ? (asked.visibility ?? "private") : "shared",
    protected: asked.protected ?? false,
    diskFormat,
    containerFormat: "bare",
    minDisk: Number(min_disk ?? 0),
    minRam: Number(min_ram ?? 0),
    properties,
  });
  const type = context.types.get(volume.typeId ?? defaultTypeId);
  const uploading = context.volumes.put(
    changed(volume, { status: "uploading", previousStatus: volume.status, uploadTo: image.id }),
  );
  const answer = {
    id: volume.id,
    updated_at: uploading.updatedAt === null ? null : isoMicrosNoZone(uploading.updatedAt),
    status: "uploading",
    display_description: volume.description,
    size: volume.size,
    volume_type: type === undefined ? null : { id: type.id, name: type.name, description: type.description },
    image_id: image.id,
    container_format: image.containerFormat,
    disk_format: image.diskFormat,
    image_name: image.name,
    ...(microversion >= 1 ? { protected: image.protected, visibility: image.visibility } : {}),
  };
  return {
    status: 202,
    body: { "os-volume_upload_image": answer },
    after: () => context.lifecycle.upload(volume.id),
  };
}
