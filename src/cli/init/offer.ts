import { type Flavor, listFlavors } from "../../openstack/compute/flavors.ts";
import { type Image, listImages } from "../../openstack/image/images.ts";
import { type ExternalNetwork, listExternalNetworks, rangesOf } from "../../openstack/network/external-networks.ts";
import type { Session } from "../../openstack/session.ts";

/** What a cloud has that a stack is made from. */
export interface Offer {
  images: Image[];
  flavors: Flavor[];
  networks: (ExternalNetwork & { ranges: string[] })[];
}

/** Reads what the project may use; what has no name of its own cannot be named in a configuration and is left out. */
export async function readOffer(session: Session): Promise<Offer> {
  const [images, flavors, networks] = await Promise.all([
    listImages(session, { status: "active" }),
    listFlavors(session),
    listExternalNetworks(session),
  ]);
  const named = onlyOnce(networks);
  const ranges = await Promise.all(named.map(({ id }) => rangesOf(session, id)));
  return {
    images: onlyOnce(images),
    flavors: onlyOnce(flavors),
    networks: named.map((network, index) => ({ ...network, ranges: ranges[index] ?? [] })),
  };
}

function onlyOnce<T extends { name: string }>(things: T[]): T[] {
  return things.filter(({ name }) => Boolean(name) && things.filter((other) => other.name === name).length === 1);
}
