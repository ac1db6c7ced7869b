import type { Image } from "./records.ts";

/** The one store that contents are in. */
export const storeId = "local";

/** An image as Glance shows it: fixed fields and the free properties on one level. */
export function imageView(image: Image): Record<string, unknown> {
  const self = `/v2/images/${image.id}`;
  return {
    ...image.properties,
    id: image.id,
    name: image.name === "" ? null : image.name,
    status: image.status,
    visibility: image.visibility,
    owner: image.ownerId,
    disk_format: image.diskFormat,
    container_format: image.containerFormat,
    min_disk: image.minDisk,
    min_ram: image.minRam,
    protected: image.protected,
    os_hidden: image.hidden,
    tags: image.tags,
    size: image.size,
    virtual_size: image.status === "active" && image.diskFormat === "raw" ? image.size : null,
    checksum: image.checksum,
    os_hash_algo: image.hashAlgorithm,
    os_hash_value: image.hashValue,
    created_at: image.createdAt,
    updated_at: image.updatedAt,
    self,
    file: `${self}/file`,
    schema: "/v2/schemas/image",
    ...(image.status === "active" || image.status === "deactivated" ? { stores: storeId } : {}),
  };
}
