import { installHostPackages, missingHostPackages } from "../cloud/host-packages.ts";
import { ensureGuestImage, type GuestImage } from "../cloud/images/guest-image.ts";
import type { ImageKind } from "../cloud/images/recipe.ts";
import type { Reporter } from "./ui/reporter.ts";

/**
 * Installs what real guests need on this machine, saying which packages and why before it does, and builds the guest images where the
 * cache has none of their recipe.
 * @throws SlipwayError E_HOST_PACKAGES
 */
export async function prepareGuests(reporter: Reporter, kinds: ImageKind[]): Promise<GuestImage[]> {
  const missing = await missingHostPackages();
  if (missing.length > 0) {
    await reporter.phase("host-packages", "host packages", ({ note }) => installHostPackages(missing, note));
  }
  return reporter.phase("image", "guest image", async ({ note }) => {
    const images: GuestImage[] = [];
    for (const kind of kinds) images.push(await ensureGuestImage({ kind, log: note }));
    return images;
  });
}
