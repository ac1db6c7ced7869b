import { messageOf } from "../../common/errors.ts";
import type { Scope } from "../identity/scope.ts";
import type { Collection } from "../store/store.ts";
import type { VolumeContext } from "../volume/context.ts";
import { changed } from "../volume/records.ts";
import { createVolume, imageMetadata } from "../volume/volume-create.ts";
import { devicesOf, isRoot, type PromisedVolume } from "./block-devices.ts";
import { attachVolume, type DiskParts } from "./disks.ts";
import type { Server } from "./records.ts";
import { connectVolume } from "./volume-connection.ts";

export interface PromiseParts extends DiskParts {
  servers: Collection<Server>;
  cinder: VolumeContext;
}

/** Of the Zed release. */
const microversion = 70;

/**
 * Makes the volumes that a new server was promised, one after the other as Nova does, and puts them in, with those that were there before: the
 * guest boots with them all. What is done of it is kept at each step, so that a restarted cloud goes on from there.
 * @throws Error in the words that Nova tells as the server's fault
 */
export async function makePromisedVolumes(parts: PromiseParts, serverId: string): Promise<void> {
  const { servers, cinder, blockDevices } = parts;
  for (;;) {
    const server = servers.get(serverId);
    const promised = server?.promisedVolumes?.[0];
    if (server === undefined || promised === undefined || server.taskState === "deleting") break;
    try {
      const volumeId = promised.volumeId ?? begin(parts, server, promised);
      await cinder.lifecycle.create(volumeId);
      connect(parts, server, { ...promised, volumeId });
    } catch (error) {
      throw new Error(`Build of instance ${serverId} aborted: ${messageOf(error)}`);
    }
  }
  for (const { id, volumeId } of devicesOf(blockDevices, serverId)) {
    const status = cinder.volumes.get(volumeId)?.status;
    if (status === "reserved" || status === "attaching") await attachVolume(parts, id);
  }
}

/** Asks Cinder for the volume, and keeps which it is. */
function begin({ store, servers, cinder }: PromiseParts, server: Server, promised: PromisedVolume): string {
  const { source, size, volumeType } = promised;
  return store.transaction(() => {
    const asked = {
      name: source === null ? `${server.id}-blank-vol` : "",
      description: "",
      ...(size === undefined ? {} : { size }),
      ...(volumeType === undefined ? {} : { volume_type: volumeType }),
      ...(source === null ? {} : source.kind === "image" ? { imageRef: source.id } : { snapshot_id: source.id }),
    };
    const { id } = createVolume(cinder, scopeOf(server), { volume: asked }, microversion);
    const [, ...rest] = server.promisedVolumes ?? [];
    servers.patch(server.id, {
      taskState: "block_device_mapping",
      promisedVolumes: [{ ...promised, volumeId: id }, ...rest],
    });
    return id;
  });
}

/** Whoever made the server, as far as volumes are concerned. */
const scopeOf = ({ userId, projectId }: Server): Scope => ({
  ...{ userId, userName: "", project: { id: projectId, name: "" }, roles: ["member"] },
});

/** Reserves the volume that was made. */
function connect(parts: PromiseParts, server: Server, promised: PromisedVolume & { volumeId: string }): void {
  const { store, servers, cinder } = parts;
  const { volumeId, tag, deleteOnTermination, device } = promised;
  const status = cinder.volumes.get(volumeId)?.status;
  if (status !== "available") {
    throw new Error(
      `Volume ${volumeId} did not finish being created even after we waited 0 seconds or 1 attempts. And its status is ${status ?? "deleted"}.`,
    );
  }
  store.transaction(() => {
    connectVolume(parts, scopeOf(server), server, { volumeId, tag, deleteOnTermination, device });
    const [, ...rest] = servers.get(server.id)?.promisedVolumes ?? [];
    servers.patch(server.id, { promisedVolumes: rest });
  });
}

/** Gives the root volume of a server that is rebuilt the content of another image, where that was asked for. */
export async function reimageRoot(parts: PromiseParts, serverId: string): Promise<void> {
  const { store, servers, blockDevices, cinder } = parts;
  const imageId = servers.get(serverId)?.reimageId;
  const root = devicesOf(blockDevices, serverId).find(isRoot);
  const image = imageId ? cinder.images.get(imageId) : undefined;
  if (!imageId || root === undefined) return;
  const failed = new Error(
    `Build of instance ${serverId} aborted: ${image === undefined ? `Image ${imageId} not found.` : "Failed to rebuild volume backed instance."}`,
  );
  const volume = cinder.volumes.get(root.volumeId);
  if (image === undefined || volume === undefined) throw failed;
  cinder.volumes.put(
    changed(volume, {
      ...{ status: "downloading", previousStatus: "in-use" },
      ...{ source: { kind: "image", id: image.id }, imageMetadata: imageMetadata(image) },
    }),
  );
  await cinder.lifecycle.create(root.volumeId);
  if (cinder.volumes.get(root.volumeId)?.status !== "in-use") throw failed;
  store.transaction(() => servers.patch(serverId, { reimageId: null }));
}
