import {
  canInstallPackages,
  type HostPackage,
  installHostPackages,
  missingHostPackages,
} from "../cloud/host-packages.ts";
import { qemuPackages } from "../cloud/hypervisors/qemu/probe.ts";
import { ensureGuestImage, type GuestImage } from "../cloud/images/guest-image.ts";
import type { ImageKind } from "../cloud/images/recipe.ts";
import type { Reporter } from "./ui/reporter.ts";

/**
 * Installs what real guests need on this machine, saying which packages and why before it does, and builds the guest images where the
 * cache has none of their recipe.
 * @throws SlipwayError E_HOST_PACKAGES
 */
export async function prepareGuests(reporter: Reporter, kinds: ImageKind[]): Promise<GuestImage[]> {
  await ensurePackages(reporter, await missingHostPackages());
  return reporter.phase("image", "guest image", async ({ note }) => {
    const images: GuestImage[] = [];
    for (const kind of kinds) images.push(await ensureGuestImage({ kind, log: note }));
    return images;
  });
}

/**
 * Installs what virtual machines need on this machine, as far as its own root may, and the networks of containers where they can be made: the
 * cloud tells what is missing else.
 * @throws SlipwayError E_HOST_PACKAGES
 */
export async function prepareMachines(reporter: Reporter, withNetworks: boolean): Promise<void> {
  if (process.getuid?.() !== 0 || !(await canInstallPackages())) return;
  const missing = [...(await missingHostPackages(qemuPackages)), ...(withNetworks ? await missingHostPackages() : [])];
  await ensurePackages(reporter, missing);
}

async function ensurePackages(reporter: Reporter, missing: readonly HostPackage[]): Promise<void> {
  if (missing.length === 0) return;
  await reporter.phase("host-packages", "host packages", ({ note }) => installHostPackages(missing, note));
}
