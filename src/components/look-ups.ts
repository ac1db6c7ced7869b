import * as openstack from "@pulumi/openstack";
import type { StackConfig } from "./config.ts";

/** What a stack uses of its cloud and does not make. */
export interface Found {
  imageId: string;
  flavorId: string;
  externalNetworkId: string;
}

/**
 * Finds what the configuration names. Programs wait for it before they declare a resource: a mistyped name makes nothing.
 * The provider fails a look-up that does not find exactly one (E_LOOKUP with the candidates).
 */
export async function lookUp({ image, imageId, flavor, externalNetwork }: StackConfig): Promise<Found> {
  const lookUps = [
    imageId === undefined ? openstack.images.getImage({ name: image }) : { id: imageId },
    openstack.compute.getFlavor({ name: flavor }),
    openstack.networking.getNetwork({ name: externalNetwork, external: true }),
  ] as const;
  // each is answered before the first failure ends the program: a run tells everything that is wrong
  await Promise.allSettled(lookUps);
  const [foundImage, foundFlavor, foundNetwork] = await Promise.all(lookUps);
  return { imageId: foundImage.id, flavorId: foundFlavor.id, externalNetworkId: foundNetwork.id };
}
