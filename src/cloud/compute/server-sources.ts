import type { Scope } from "../identity/scope.ts";
import { isVisible } from "../image/images.ts";
import type { Image } from "../image/records.ts";
import type { Collection } from "../store/store.ts";
import { nova } from "./errors.ts";
import type { Flavor } from "./flavor-records.ts";
import { visibleFlavors } from "./flavors.ts";

/** The flavor that a reference, an id or an address, names. @throws ApiError 400 */
export function flavorOf(made: Collection<Flavor>, scope: Scope, asked: string): Flavor {
  const id = asked.split("/").at(-1) ?? asked;
  const found = visibleFlavors(made, scope).find((flavor) => flavor.id === id);
  if (found === undefined) throw nova.badRequest(`Flavor ${id} could not be found.`);
  return found;
}

const gib = 1024 ** 3;

/** The image to make a disk of this size from. @throws ApiError 400 */
export function imageOf(images: Collection<Image>, scope: Scope, id: string, flavor: Flavor, missing: string): Image {
  const image = images.get(id);
  if (image === undefined || !isVisible(scope, image)) throw nova.badRequest(missing);
  if (image.status !== "active") throw nova.badRequest(`Image ${id} is not active.`);
  if (flavor.ram < image.minRam) throw nova.badRequest("Flavor's memory is too small for requested image.");
  if (flavor.disk > 0 && flavor.disk * gib < (image.size ?? 0)) {
    throw nova.badRequest(
      `Flavor's disk is too small for requested image. Flavor disk is ${flavor.disk * gib} bytes, image is ${image.size} bytes.`,
    );
  }
  if (flavor.disk > 0 && flavor.disk < image.minDisk) {
    throw nova.badRequest(
      `Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is ${flavor.disk * gib} bytes, minimum size is ${image.minDisk * gib} bytes.`,
    );
  }
  return image;
}
