import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Scope } from "../identity/scope.ts";
import { stagedPath } from "./content.ts";
import type { ImageOptions } from "./context.ts";
import { glance } from "./faults.ts";
import { deleteImage, ownImage } from "./images.ts";

/** What images are removed from. */
export type RemovalParts = Pick<ImageOptions, "store" | "table" | "folder" | "inUse">;

/**
 * Deletes an image. Returns what removes all that was stored for it, and may take its time.
 * @throws ApiError 403, 404, 409 in Glance's words
 */
export function removeImage(
  { store, table, folder, inUse }: RemovalParts,
  scope: Scope,
  id: string,
): () => Promise<void> {
  const removeContent = store.transaction(() => {
    const image = ownImage(table, scope, id, { missing: `Failed to find image ${id} to delete` });
    if (inUse(image.id)) {
      throw glance.conflict(
        `Image ${image.id} could not be deleted because it is in use: The image cannot be deleted because it is in use by a server.`,
      );
    }
    return deleteImage(table, image);
  });
  return async () => {
    await removeContent();
    await rm(stagedPath(join(folder, id)), { force: true });
  };
}
