import { ApiError } from "../http/api-error.ts";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import { isVisible } from "../image/images.ts";
import type { Image } from "../image/records.ts";
import type { Collection } from "../store/store.ts";
import type { Volume } from "../volume/records.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import type { Flavor } from "./flavor-records.ts";
import { visibleFlavors } from "./flavors.ts";
import { invalidMapping, type RequestedDevice } from "./requested-devices.ts";

/** The flavor that a reference, an id or an address, names. @throws ApiError 400 */
export function flavorOf(made: Collection<Flavor>, scope: Scope, asked: string): Flavor {
  const id = asked.split("/").at(-1) ?? asked;
  const found = visibleFlavors(made, scope).find((flavor) => flavor.id === id);
  if (found === undefined) throw nova.badRequest(`Flavor ${id} could not be found.`);
  return found;
}

const gib = 1024 ** 3;

/** What a server's root disk is made of, as far as a flavor has to fit it. */
export interface BootSource {
  id: string;
  isActive: boolean;
  /** Bytes. */
  size: number;
  /** MiB. */
  minRam: number;
  /** GiB. */
  minDisk: number;
  properties: Record<string, string>;
}

export function sourceOfImage(image: Image): BootSource {
  const { id, status, size, minRam, minDisk, properties } = image;
  return { id, isActive: status === "active", size: size ?? 0, minRam, minDisk, properties };
}

/** What Cinder remembers of the image that the volume was made of. */
function sourceOfVolume({ id, size, imageMetadata = {} }: Volume): BootSource {
  const { min_ram = "0", min_disk = "0" } = imageMetadata;
  const { block_device_mapping: _, ...properties } = imageMetadata;
  return { id, isActive: true, size: size * gib, minRam: Number(min_ram), minDisk: Number(min_disk), properties };
}

/** @throws ApiError 400 */
export function imageOf(images: Collection<Image>, scope: Scope, id: string, missing: string): Image {
  const image = images.get(id);
  if (image === undefined || !isVisible(scope, image)) throw nova.badRequest(missing);
  return image;
}

/** What the first device is made of that is booted from. @throws ApiError 400 for what is missing, and a volume that is no boot disk */
export function bootSourceOf(
  context: ComputeContext,
  scope: Scope,
  devices: RequestedDevice[],
): BootSource | undefined {
  const { id = "", source } = devices.find(({ bootIndex }) => bootIndex === 0) ?? {};
  const { images, volumes, cinder } = context;
  if (source === "image") {
    return sourceOfImage(imageOf(images, scope, id, invalidMapping(`failed to get image ${id}.`).message));
  }
  if (source !== "volume" && source !== "snapshot") return undefined;
  const snapshot = source === "snapshot" ? cinder.snapshots.get(id) : undefined;
  if (source === "snapshot" && (snapshot === undefined || !owns(scope, snapshot.projectId))) {
    throw nova.badRequest(`Snapshot ${id} could not be found.`);
  }
  const volumeId = snapshot?.volumeId ?? id;
  const volume = volumes.get(volumeId);
  if (volume === undefined || !owns(scope, volume.projectId)) {
    throw invalidMapping(`failed to get volume ${volumeId}.`);
  }
  if (volume.bootable !== true) throw nova.badRequest(`Block Device ${volumeId} is not bootable.`);
  return sourceOfVolume(volume);
}

/**
 * Whether a server of the flavor can have a root disk made of this.
 * @param root GiB of a volume where it is one, as far as that is known; absent for a disk of the host's
 * @throws ApiError 400, 403
 */
export function demandFits(source: BootSource, flavor: Flavor, scope: Scope, root?: { size?: number }): void {
  if (!source.isActive) throw nova.badRequest(`Image ${source.id} is not active.`);
  if (flavor.ram < source.minRam) throw nova.badRequest("Flavor's memory is too small for requested image.");
  const least = source.minDisk * gib;
  if (root !== undefined) {
    if (root.size === undefined || least <= root.size * gib) return;
    throw nova.badRequest(
      `Volume is smaller than the minimum size specified in image metadata. Volume size is ${root.size * gib} bytes, minimum size is ${least} bytes.`,
    );
  }
  const disk = flavor.disk * gib;
  if (disk === 0) {
    if (isAdmin(scope)) return;
    throw new ApiError(403, "Only volume-backed servers are allowed for flavors with zero disk.");
  }
  if (disk < source.size) {
    throw nova.badRequest(
      `Flavor's disk is too small for requested image. Flavor disk is ${disk} bytes, image is ${source.size} bytes.`,
    );
  }
  if (disk < least) {
    throw nova.badRequest(
      `Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is ${disk} bytes, minimum size is ${least} bytes.`,
    );
  }
}
