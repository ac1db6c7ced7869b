import { randomUUID } from "node:crypto";
import { ApiError } from "../http/api-error.ts";
import type { Scope } from "../identity/scope.ts";
import { reserved } from "../volume/attachment-states.ts";
import { ownVolume } from "../volume/context.ts";
import { type BlockDevice, devicesOf, nextDevice } from "./block-devices.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import type { Server } from "./records.ts";

/** A volume that is to go into a server. */
export interface WantedVolume {
  volumeId: string;
  tag: string | null;
  deleteOnTermination: boolean;
}

/**
 * Reserves a volume for a server, with the device that it will be. Inside a transaction.
 * @throws ApiError 404 for no such volume, 400 for one that is not free, in Cinder's words inside Nova's
 */
export function connectVolume(
  { volumes, blockDevices }: ComputeContext,
  scope: Scope,
  server: Pick<Server, "id">,
  wanted: WantedVolume,
): BlockDevice {
  const volume = ownVolume(volumes, scope, wanted.volumeId);
  const holder = blockDevices.find((item) => item.volumeId === volume.id);
  if (holder !== undefined) {
    throw nova.badRequest(`Invalid volume: volume ${volume.id} is already attached to instances: ${holder.serverId}`);
  }
  const taken = passedOn("", () => reserved(volume, server.id));
  volumes.put(taken);
  return blockDevices.put({
    id: randomUUID(),
    serverId: server.id,
    volumeId: volume.id,
    attachmentId: taken.attachment.id,
    device: nextDevice(devicesOf(blockDevices, server.id)),
    tag: wanted.tag,
    deleteOnTermination: wanted.deleteOnTermination,
  });
}

/** Nova passes Cinder's refusals on inside its own. */
export function passedOn<T>(prefix: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw error instanceof ApiError ? nova.badRequest(`${prefix}Invalid input received: ${error.message}`) : error;
  }
}
