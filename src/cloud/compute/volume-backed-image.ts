import { createHash } from "node:crypto";
import { ApiError } from "../http/api-error.ts";
import { isoSeconds } from "../http/time.ts";
import { newImage } from "../image/images.ts";
import type { Image } from "../image/records.ts";
import { createSnapshot } from "../volume/snapshots.ts";
import { type Action, changeAtOnce } from "./action.ts";
import { type BlockDevice, devicesOf, isRoot } from "./block-devices.ts";
import { passedOn } from "./volume-connection.ts";

/** What Cinder remembers of an image that is its content's and not a property. */
const ofContent = new Set([
  ...["image_id", "image_name", "checksum", "container_format", "disk_format", "min_disk", "min_ram", "size"],
  "signature_verified",
]);

const digest = (algorithm: string) => createHash(algorithm).digest("hex");

/**
 * The image of a server that runs from a volume: nothing but the way to snapshots of its volumes, of which a server that is made from it gets its
 * own. Inside a transaction; the snapshots' contents follow.
 * @returns the image, with the ids of the snapshots
 * @throws ApiError 403 where the project may have no more snapshots, 400 in Cinder's words
 */
export function volumeBackedImage(
  action: Action,
  name: string,
  given: Record<string, string>,
): { image: Image; snapshotIds: string[] } {
  const { context, scope, server } = action;
  const { cinder, volumes, blockDevices } = context;
  const empty = newImage(server.projectId);
  const devices = devicesOf(blockDevices, server.id);
  const root = devices.find(isRoot);
  const { imageMetadata = {} } = volumes.get(root?.volumeId ?? "") ?? {};
  const snapshots = devices.map((device) => ({ device, snapshot: snapshotOf(action, device, name) }));
  const properties = {
    ...Object.fromEntries(Object.entries(imageMetadata).filter(([key]) => !ofContent.has(key))),
    base_image_ref: server.imageId,
    owner_user_name: scope.userName,
    owner_project_name: scope.project?.name ?? "",
    boot_roles: scope.roles.join(","),
    ...given,
    root_device_name: root?.device ?? "",
    block_device_mapping: JSON.stringify(snapshots.map(({ device, snapshot }) => mapping(device, snapshot))),
    bdm_v2: "True",
  };
  const image = context.images.put({
    ...empty,
    ...{ name, properties, status: "active", visibility: "private", containerFormat: "bare" },
    diskFormat: imageMetadata.disk_format ?? "raw",
    minDisk: server.flavor.disk,
    minRam: Number(imageMetadata.min_ram ?? 0),
    ...{ size: 0, checksum: digest("md5"), hashAlgorithm: "sha512", hashValue: digest("sha512") },
    updatedAt: isoSeconds(),
  });
  changeAtOnce(action, "createImage");
  return { image, snapshotIds: snapshots.map(({ snapshot }) => snapshot.id) };

  function snapshotOf(of: Action, { volumeId }: BlockDevice, called: string) {
    const description = volumes.get(volumeId)?.description ?? "";
    const asked = { snapshot: { volume_id: volumeId, name: `snapshot for ${called}`, description, force: true } };
    try {
      return createSnapshot(cinder, of.scope, asked, 0, { imageId: empty.id });
    } catch (error) {
      const isFull = error instanceof ApiError && error.status === 413;
      if (isFull) throw new ApiError(403, "Quota exceeded for resources: snapshots");
      return passedOn("", () => {
        throw error;
      });
    }
  }
}

/** A device as Nova writes it into the image. */
function mapping({ device, deleteOnTermination }: BlockDevice, { id, size }: { id: string; size: number }) {
  return {
    ...{ disk_bus: null, boot_index: isRoot({ device }) ? 0 : -1, guest_format: null, encryption_secret_uuid: null },
    ...{ snapshot_id: id, device_type: null, volume_type: null, volume_size: size },
    ...{ delete_on_termination: deleteOnTermination, destination_type: "volume", no_device: null },
    ...{ source_type: "snapshot", tag: null, encrypted: null, image_id: null, encryption_options: null },
    ...{ encryption_format: null, device_name: device, volume_id: null },
  };
}
