import { join } from "node:path";
import { isoSeconds } from "../http/time.ts";
import type { Hypervisor } from "../hypervisors/hypervisor.ts";
import { deleteImage } from "../image/images.ts";
import type { Image } from "../image/records.ts";
import { removeTree } from "../store/remove.ts";
import type { Collection } from "../store/store.ts";
import type { Server } from "./records.ts";

/** What snapshots of servers are made of. */
export interface SnapshotParts {
  images: Collection<Image>;
  /** Where Glance keeps contents. */
  imageFolder: string;
  hypervisor: Hypervisor;
}

/**
 * Fills the image that was registered for a snapshot with the server's disk as it is now. Where that fails the image is gone, as with Nova.
 * Pretended guests have no content.
 */
export async function takeSnapshot(parts: SnapshotParts, server: Server): Promise<void> {
  const { images, imageFolder, hypervisor } = parts;
  const { imageId, rotation } = server.snapshot ?? {};
  if (imageId === undefined || images.get(imageId) === undefined) return;
  const path = join(imageFolder, imageId);
  const change = (fields: Partial<Image>) => images.patch(imageId, { ...fields, updatedAt: isoSeconds() });
  change({ status: "saving", diskFormat: hypervisor.snapshotFormat ?? "raw", containerFormat: "bare" });
  try {
    await removeTree(path); // what an interrupted one left
    const size = await hypervisor.snapshot?.(server.id, path);
    const properties = {
      ...images.get(imageId)?.properties,
      ...{ image_location: "snapshot", image_state: "available", owner_id: server.projectId },
    };
    const content = size === undefined ? { path: null, size: null } : { path, ownsContent: true, size };
    // it may have been deleted meanwhile
    if (change({ status: "active", properties, ...content }) === undefined) {
      await removeTree(path);
    }
  } catch (error) {
    images.delete(imageId);
    await removeTree(path);
    throw error;
  }
  if (typeof rotation === "number") await rotate(images, server, imageId, rotation);
}

/**
 * Deletes the oldest of a server's backups of a kind, until there are as many as are to be kept: only images of its project, whatever others
 * say of theirs, and none that is protected.
 */
async function rotate(
  images: Collection<Image>,
  { id, projectId }: Server,
  latest: string,
  kept: number,
): Promise<void> {
  const kind = images.get(latest)?.properties.backup_type;
  const own = images.list(
    ({ ownerId, properties }) =>
      ownerId === projectId &&
      properties.image_type === "backup" &&
      properties.backup_type === kind &&
      properties.instance_uuid === id,
  );
  const excess = own.slice(0, Math.max(0, own.length - kept));
  for (const image of excess) if (!image.protected) await deleteImage(images, image)();
}
