import { randomUUID } from "node:crypto";
import { ApiError } from "../http/api-error.ts";
import type { Scope } from "../identity/scope.ts";
import type { Collection } from "../store/store.ts";
import { reserved } from "../volume/attachment-states.ts";
import { ownVolume } from "../volume/context.ts";
import type { Volume } from "../volume/records.ts";
import { type BlockDevice, devicesOf, nextDevice } from "./block-devices.ts";
import { nova } from "./errors.ts";
import type { Server } from "./records.ts";

/** A volume that is to go into a server. */
export interface WantedVolume {
  volumeId: string;
  tag: string | null;
  deleteOnTermination: boolean;
  /** The next free one where absent. */
  device?: string;
}

/**
 * Reserves a volume for a server, with the device that it will be. Inside a transaction.
 * @param prefix what Nova says before a refusal of Cinder's
 * @throws ApiError 404 for no such volume, 400 for one that is not free, in Cinder's words inside Nova's
 */
export function connectVolume(
  { volumes, blockDevices }: { volumes: Collection<Volume>; blockDevices: Collection<BlockDevice> },
  scope: Scope,
  server: Pick<Server, "id">,
  wanted: WantedVolume,
  prefix = "",
): BlockDevice {
  const volume = ownVolume(volumes, scope, wanted.volumeId);
  const taken = passedOn(prefix, () => reserved(volume, server.id));
  volumes.put(taken);
  return blockDevices.put({
    id: randomUUID(),
    serverId: server.id,
    volumeId: volume.id,
    attachmentId: taken.attachment.id,
    device: wanted.device ?? nextDevice(devicesOf(blockDevices, server.id)),
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
