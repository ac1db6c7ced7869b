import { randomUUID } from "node:crypto";
import { isoSeconds } from "../http/time.ts";
import { cinder } from "./errors.ts";
import { changed, type Volume, type VolumeAttachment } from "./records.ts";

// The steps of a volume into a server and out of it, in the order of Cinder's attachment API. Pure: the caller keeps the result.

/** @throws ApiError 400 in Cinder's words for a volume that is not free */
export function demandReservable({ id, status }: Volume): void {
  if (status.includes("error")) {
    throw cinder.invalidVolume(
      `Volume attachments can not be created if the volume is in an error state. The Volume ${id} currently has a status of: ${status} `,
    );
  }
  // Cinder takes one that is downloading as well: whoever had it then would be given what the download is not yet done with
  if (status === "available") return;
  throw cinder.invalidVolume(
    `Volume ${id} status must be available or downloading to reserve, but the current status is ${status}.`,
  );
}

/** @throws ApiError 400 in Cinder's words for a volume that is not free */
export function reserved(volume: Volume, serverId: string): Volume & { attachment: VolumeAttachment } {
  demandReservable(volume);
  const attachment = { id: randomUUID(), serverId, device: null, attachedAt: null };
  return { ...changed(volume, { status: "reserved" }), attachment };
}

export function attached(volume: Volume, device: string): Volume {
  if (volume.attachment === null) throw new Error(`volume ${volume.id} was not reserved`);
  return changed(volume, {
    status: "in-use",
    attachment: { ...volume.attachment, device, attachedAt: isoSeconds() },
  });
}

/** @throws ApiError 400 in Cinder's words unless the volume is attached */
export function detaching(volume: Volume): Volume {
  if (volume.status !== "in-use") {
    throw cinder.invalidVolume(
      "Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach.",
    );
  }
  return changed(volume, { status: "detaching" });
}

/** What Cinder calls roll_detaching: the server keeps the volume after all. */
export function keptAttached(volume: Volume): Volume {
  return changed(volume, { status: "in-use" });
}

export function detached(volume: Volume): Volume {
  return changed(volume, { status: "available", attachment: null });
}
