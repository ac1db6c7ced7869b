import type { Flavor } from "../../openstack/compute/flavors.ts";
import type { Image } from "../../openstack/image/images.ts";
import type { Offer } from "./offer.ts";

/** Something that can be chosen, with what one has to know of it. */
export interface Choice {
  name: string;
  about: string;
}

/** MiB that a host with all roles takes. */
const HOST_MEMORY = 1024;
/** Distributions that hosts are tested with, the best first. */
const distributions = ["debian", "ubuntu"];

/** Images, the most fitting first: Debian before Ubuntu before others, the newest of each first. */
export function imageChoices(images: Image[]): Choice[] {
  const ranked = images.map((image) => ({ image, rank: rankOf(image), version: versionOf(image) }));
  ranked.sort((a, b) => a.rank - b.rank || b.version - a.version || a.image.name.localeCompare(b.image.name));
  return ranked.map(({ image }) => ({ name: image.name, about: image.size ? `${megabytes(image.size)} MB` : "" }));
}

/** Flavors that the image and a host fit into, the smallest first; then those that are too small. */
export function flavorChoices(flavors: Flavor[], image: Image | undefined): Choice[] {
  const memory = Math.max(HOST_MEMORY, image?.min_ram ?? 0);
  const fits = ({ ram, disk }: Flavor) => ram >= memory && (disk === 0 || disk >= (image?.min_disk ?? 0));
  const bySize = flavors.toSorted((a, b) => a.ram - b.ram || a.vcpus - b.vcpus || a.disk - b.disk);
  return [...bySize.filter(fits), ...bySize.filter((flavor) => !fits(flavor))].map((flavor) => {
    const { vcpus, ram, disk } = flavor;
    const size = `${vcpus} vCPU, ${gibibytes(ram)} GiB memory, ${disk === 0 ? "a disk like the image" : `${disk} GiB disk`}`;
    return { name: flavor.name, about: fits(flavor) ? size : `${size}: too small` };
  });
}

/** External networks by name. */
export function networkChoices(networks: Offer["networks"]): Choice[] {
  const byName = networks.toSorted((a, b) => a.name.localeCompare(b.name));
  return byName.map(({ name, ranges }) => ({ name, about: ranges.join(", ") }));
}

function rankOf({ name, os_distro, image_type }: Image): number {
  const text = `${os_distro ?? ""} ${name}`.toLowerCase();
  const rank = distributions.findIndex((distribution) => text.includes(distribution));
  // somebody's server of yesterday is no clean start
  return (rank < 0 ? distributions.length : rank) + (image_type === "snapshot" ? distributions.length + 1 : 0);
}

function versionOf({ name, os_version }: Image): number {
  const named = /(?:debian|ubuntu)\D*(\d+(?:\.\d+)?)/i.exec(name)?.[1];
  return Number.parseFloat(String(os_version ?? named)) || 0;
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}

function gibibytes(mebibytes: number): number {
  return Math.round((mebibytes / 1024) * 10) / 10;
}
