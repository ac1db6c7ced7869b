import { randomUUID } from "node:crypto";
import { stat } from "node:fs/promises";
import { isoSeconds } from "../http/time.ts";
import type { Collection } from "../store/store.ts";
import type { Image } from "./records.ts";

/** An image that the cloud offers from its start. */
export interface OfferedImage {
  name: string;
  /** The content: a file, or the root tree of container guests; null for pretended guests, which have none. */
  path: string | null;
  /** `sha256:…` of the content or of the recipe that it was built by; a new digest makes a new image. */
  digest?: string;
  minDiskGb: number;
  properties?: Record<string, string>;
}

/** The property under which an offered image carries its digest. */
const digestProperty = "slipway_digest";

/**
 * Makes Glance offer the image: once, found again by name and digest. An older build of the same name is deleted, or hidden while a
 * server still runs from it, so that the name stays unambiguous.
 */
export async function ensureOffered(
  table: Collection<Image>,
  offered: OfferedImage,
  ownerId: string,
  inUse: (imageId: string) => boolean,
): Promise<void> {
  const digest = offered.digest ?? "";
  const builds = table.list((image) => image.name === offered.name && !image.ownsContent && image.ownerId === ownerId);
  const current = builds.find((image) => !image.twinOf && (image.properties[digestProperty] ?? "") === digest);
  for (const old of builds.filter((image) => image !== current)) {
    if (inUse(old.id)) table.put({ ...old, hidden: true });
    else table.delete(old.id);
  }
  if (current !== undefined) {
    table.put({ ...current, path: offered.path, hidden: false });
    return;
  }
  const found = offered.path === null ? undefined : await stat(offered.path);
  const now = isoSeconds();
  table.put({
    id: randomUUID(),
    name: offered.name,
    ownerId,
    status: "active",
    visibility: "public",
    containerFormat: "bare",
    diskFormat: "raw",
    minDisk: offered.minDiskGb,
    minRam: 0,
    protected: false,
    hidden: false,
    tags: [],
    size: found?.isFile() === true ? found.size : null,
    checksum: null,
    hashAlgorithm: digest === "" ? null : "sha256",
    hashValue: digest === "" ? null : digest.replace(/^sha256:/, ""),
    properties: { ...offered.properties, ...(digest === "" ? {} : { [digestProperty]: digest }) },
    createdAt: now,
    updatedAt: now,
    path: offered.path,
    ownsContent: false,
  });
}
