import * as openstack from "@pulumi/openstack";
import type { StackConfig } from "./config.ts";

/** What the hosts' image and flavor stand for. */
interface FoundForHost {
  imageId: string;
  flavorId: string;
}

/** What a stack uses of its cloud and does not make. */
interface Found {
  /** Undefined where no host is to be made. */
  forHost: FoundForHost | undefined;
  externalNetworkId: string;
}

/**
 * Finds what the configuration names. Programs wait for it before they declare a resource: a mistyped name makes nothing.
 * The provider fails a look-up that does not find exactly one (E_LOOKUP with the candidates).
 * @param makesHost whether image and flavor are wanted
 */
export async function lookUp(
  { image, imageId, flavor, externalNetwork }: StackConfig,
  makesHost: boolean,
): Promise<Found> {
  const forHost = makesHost
    ? ([
        imageId === undefined ? openstack.images.getImage({ name: image }) : { id: imageId },
        openstack.compute.getFlavor({ name: flavor }),
      ] as const)
    : undefined;
  const network = openstack.networking.getNetwork({ name: externalNetwork, external: true });
  // each is answered before the first failure ends the program: a run tells everything that is wrong
  await Promise.allSettled([...(forHost ?? []), network]);
  const externalNetworkId = (await network).id;
  if (forHost === undefined) return { forHost, externalNetworkId };
  const [foundImage, foundFlavor] = await Promise.all(forHost);
  return { forHost: { imageId: foundImage.id, flavorId: foundFlavor.id }, externalNetworkId };
}
