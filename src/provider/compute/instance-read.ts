import type { PropertyMap } from "../../engine/resource-provider.ts";
import { findServer, type Server } from "../../openstack/compute/servers.ts";
import { OpenStackError } from "../../openstack/errors.ts";
import { orMissing } from "../../openstack/missing.ts";
import type { Session } from "../../openstack/session.ts";
import type { Observed } from "../../openstack/waiting.ts";
import type { Context } from "../kind.ts";
import { mapsOf, textOf, textsOf } from "../schema/values.ts";
import { accessAddresses, networkEntries, networksState } from "./instance-networks.ts";

/** The server's state in the official provider's form; undefined where it is gone. */
export async function readServer(
  { session }: Context,
  id: string,
  inputs: PropertyMap,
): Promise<PropertyMap | undefined> {
  const server = await findServer(session, id);
  if (server === undefined || server.status === "DELETED" || server.status === "SOFT_DELETED") return undefined;
  const [networks, flavorName, image, tags] = await Promise.all([
    networksState(session, server, networkEntries(inputs)),
    flavorNameOf(session, server),
    imageState(session, server, inputs),
    tagsOf(session, id),
  ]);
  const own = new Set(textsOf(inputs, "tags"));
  return {
    name: server.name,
    created: goTime(server.created),
    updated: goTime(server.updated),
    powerState: server.status.toLowerCase(),
    keyPair: server.key_name ?? "",
    flavorId: server.flavor.id,
    flavorName,
    ...image,
    networks,
    ...accessAddresses(server, networks),
    allMetadata: server.metadata,
    // of an imported server all that it has is the program's
    ...(isImport(inputs) ? { metadata: server.metadata, ...(await bootVolumes(session, server)) } : {}),
    securityGroups: groupsOf(server, inputs),
    availabilityZone: server["OS-EXT-AZ:availability_zone"] ?? "",
    tags: tags.filter((tag) => own.has(tag)),
    allTags: tags,
  };
}

function isImport(inputs: PropertyMap): boolean {
  return Object.keys(inputs).length === 0;
}

interface BootVolume {
  bootable: string;
  size: number;
  volume_image_metadata?: { image_id?: string };
}

/** The block devices that a program would have made an imported server's boot volumes with. */
async function bootVolumes(session: Session, server: Server): Promise<PropertyMap> {
  const blockDevices: PropertyMap[] = [];
  for (const [index, { id }] of (server["os-extended-volumes:volumes_attached"] ?? []).entries()) {
    const path = `/volumes/${id}`;
    const volume = (await orMissing(() => session.request<{ volume: BootVolume }>("volumev3", "GET", path)))?.body
      .volume;
    if (volume?.bootable !== "true") continue;
    blockDevices.push({
      ...{ sourceType: "image", destinationType: "volume", bootIndex: index, deleteOnTermination: true },
      ...{ uuid: volume.volume_image_metadata?.image_id ?? "", volumeSize: volume.size },
      ...{ diskBus: "", volumeType: "", deviceType: "" },
    });
  }
  return blockDevices.length === 0 ? {} : { blockDevices };
}

/** The server's status and, in ERROR, why. */
export async function observeServer(session: Session, id: string): Promise<Observed | undefined> {
  const server = await findServer(session, id);
  if (server === undefined) return undefined;
  return {
    status: server.status,
    ...(server.fault === undefined ? {} : { fault: server.fault.message }),
  };
}

/** Names once each; groups that were given by id stay ids, else each run would see a difference. */
function groupsOf(server: Server, inputs: PropertyMap): string[] {
  const names = [...new Set((server.security_groups ?? []).map((group) => group.name))].sort();
  const given = textsOf(inputs, "securityGroups");
  const byId = given.length > 0 && given.every((one) => /^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(one));
  return byId && given.length === names.length ? given : names;
}

async function flavorNameOf(session: Session, server: Server): Promise<string> {
  const path = `/flavors/${server.flavor.id}`;
  const found = await orMissing(() => session.request<{ flavor: { name: string } }>("compute", "GET", path));
  return found?.body.flavor.name ?? "";
}

async function imageState(session: Session, server: Server, inputs: PropertyMap): Promise<PropertyMap> {
  if (server.image === "" || server.image === null) {
    const fromVolume = mapsOf(inputs, "blockDevices").length > 0 || textOf(inputs, "imageId") === undefined;
    return fromVolume ? { imageId: "Attempt to boot from volume - no image supplied" } : {};
  }
  const { id } = server.image;
  const found = await orMissing(() => session.request<{ name: string }>("image", "GET", `/images/${id}`));
  return { imageId: id, imageName: found?.body.name ?? "Image not found" };
}

/** Clouds before microversion 2.26 have no tags. */
async function tagsOf(session: Session, id: string): Promise<string[]> {
  try {
    const path = `/servers/${id}/tags`;
    const answer = await session.request<{ tags: string[] }>("compute", "GET", path, { microversion: "2.26" });
    return [...answer.body.tags].sort();
  } catch (error) {
    if (error instanceof OpenStackError && error.status >= 400 && error.status < 500) return [];
    throw error;
  }
}

/** Go's default text form of a time, e.g. `2026-01-02 03:04:05 +0000 UTC`. */
function goTime(iso: string): string {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? iso : `${time.toISOString().slice(0, 19).replace("T", " ")} +0000 UTC`;
}
