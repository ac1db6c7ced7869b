import { randomUUID } from "node:crypto";
import { z } from "zod";
import { parseBody } from "../http/body.ts";
import type { Action, ActionAnswer } from "./action.ts";
import { attached, detached, detaching, keptAttached } from "./attachment-states.ts";
import { demandNotWithServer } from "./attachments.ts";
import { cinder } from "./errors.ts";
import { connectionInfo, fileSeenBy } from "./placement.ts";
import { changed, type Volume } from "./records.ts";

// The actions by which clients attached volumes before there was `/attachments`: for machines that Nova does not know.

const accepted: ActionAnswer = { status: 202 };

const attachBody = z.strictObject({
  "os-attach": z
    .strictObject({
      instance_uuid: z.guid().optional(),
      mountpoint: z.string().min(1).max(255),
      host_name: z.string().max(255).optional(),
      mode: z.enum(["rw", "ro"]).optional(),
    })
    .refine(({ instance_uuid, host_name }) => instance_uuid !== undefined || host_name !== undefined, {
      message: "is not valid under any of the given schemas",
    }),
});
const detachBody = z.strictObject({
  "os-detach": z.strictObject({ attachment_id: z.guid().nullable().optional() }).nullable(),
});
const forceDetachBody = z.strictObject({ "os-force_detach": z.looseObject({}) });
const connectorBody = z.record(
  z.string(),
  z.object({ connector: z.union([z.record(z.string(), z.unknown()), z.string()]).nullable() }),
);

export const legacyAttachment: Record<string, (action: Action) => ActionAnswer> = {
  "os-reserve": ({ context, volume }) => {
    if (volume.status !== "available") {
      throw cinder.invalidVolume(`Volume status must be available to reserve, but the status is ${volume.status}.`);
    }
    context.volumes.put(changed(volume, { status: "attaching" }));
    return accepted;
  },
  "os-unreserve": ({ context, volume }) => {
    if (volume.status === "attaching" && volume.attachment === null) {
      context.volumes.put(changed(volume, { status: "available" }));
    }
    return accepted;
  },
  "os-attach": ({ context, volume, request }) => {
    const { "os-attach": asked } = parseBody(attachBody, request.body);
    const mode = asked.mode ?? "rw";
    demandNotWithServer(context, volume);
    if (volume.readonly === true && mode !== "ro") {
      throw cinder.badRequest(`Invalid attaching mode '${mode}' for volume ${volume.id}.`);
    }
    if (volume.status !== "available" && volume.status !== "attaching") {
      throw cinder.badRequest(
        "Error attaching volume - InvalidVolume: Invalid volume: volume is already attached and multiple attachments are not enabled",
      );
    }
    const attachment = {
      ...{ id: randomUUID(), serverId: asked.instance_uuid ?? null, device: null, attachedAt: null, mode },
      ...(asked.host_name === undefined ? {} : { connector: { host: asked.host_name } }),
    };
    context.volumes.put(attached({ ...volume, readonly: volume.readonly ?? false, attachment }, asked.mountpoint));
    return accepted;
  },
  "os-begin_detaching": ({ context, volume }) => {
    demandNotWithServer(context, volume);
    context.volumes.put(detaching(volume));
    return accepted;
  },
  "os-roll_detaching": ({ context, volume }) => {
    if (volume.status === "detaching" && volume.attachment !== null) context.volumes.put(keptAttached(volume));
    return accepted;
  },
  "os-detach": (action) => {
    const { attachment_id } = parseBody(detachBody, action.request.body)["os-detach"] ?? {};
    return detach(action, attachment_id ?? undefined);
  },
  "os-force_detach": (action) => {
    if (!action.request.scope.roles.includes("admin")) {
      throw cinder.forbidden("volume_extension:volume_admin_actions:force_detach");
    }
    parseBody(forceDetachBody, action.request.body);
    return detach(action, undefined);
  },
  "os-initialize_connection": ({ context, volume, request }) => {
    parseBody(connectorBody, request.body);
    const path = fileSeenBy(request.scope, context.lifecycle.fileOf(volume.id));
    return { status: 200, body: { connection_info: connectionInfo(path, "rw") } };
  },
  "os-terminate_connection": ({ context, volume, request }) => {
    parseBody(connectorBody, request.body);
    demandNotWithServer(context, volume);
    return accepted;
  },
};

function detach({ context, volume }: Action, attachmentId: string | undefined): ActionAnswer {
  demandNotWithServer(context, volume);
  const { attachment } = volume;
  if (attachmentId !== undefined && attachment?.id !== attachmentId) {
    throw cinder.badRequest(
      `Error detaching volume - VolumeAttachmentNotFound: Volume attachment could not be found with filter: attachment_id = ${attachmentId}.`,
    );
  }
  const isFree: Volume = attachment === null ? volume : detached(volume);
  context.volumes.put(isFree);
  return accepted;
}
