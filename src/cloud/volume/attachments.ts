import { randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { now } from "../clock/clock.ts";
import { ApiError } from "../http/api-error.ts";
import { parseBody } from "../http/body.ts";
import { isoMicrosNoZone } from "../http/time.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { demandReservable, detached } from "./attachment-states.ts";
import { ownVolume, since, type VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import { pageOf } from "./listing.ts";
import { connectionInfo, fileSeenBy } from "./placement.ts";
import { changed, type Volume, type VolumeAttachment } from "./records.ts";

/** An attachment with its volume. */
interface Attached {
  id: string;
  volume: Volume;
  attachment: VolumeAttachment;
}

interface One {
  Params: { id: string };
}

const createBody = (microversion: number) =>
  z.strictObject({
    attachment: z.strictObject({
      volume_uuid: z.guid(),
      instance_uuid: z.guid().optional(),
      connector: z.record(z.string(), z.unknown()).nullable().optional(),
      mode: microversion >= 54 ? z.enum(["rw", "ro"]).optional() : z.undefined().optional(),
    }),
  });
const updateBody = z.strictObject({
  attachment: z.strictObject({
    connector: z
      .record(z.string(), z.unknown())
      .refine((connector) => Object.keys(connector).length > 0, { message: "{} does not have enough properties" }),
  }),
});

/** `/attachments`, from 3.27 on. Servers' ones are made and ended by Nova; others by clients that attach by themselves. */
export function attachmentRoutes(app: FastifyInstance, context: VolumeContext): void {
  const { store, volumes, lifecycle } = context;
  const all = (): Attached[] =>
    volumes
      .list()
      .flatMap((volume) =>
        volume.attachment === null ? [] : [{ id: volume.attachment.id, volume, attachment: volume.attachment }],
      );
  const page = (request: FastifyRequest) => {
    since(request, 27);
    const { items } = pageOf(
      {
        records: all(),
        fields: (item) => ({
          ...summary(item),
          instance_id: item.attachment.serverId,
          attach_status: statusOf(item),
          created_at: item.attachment.attachedAt ?? "",
        }),
        filters: ["volume_id", "status", "instance_id", "attach_status"],
        projectOf: ({ volume }) => volume.projectId,
        missing: notFound,
      },
      request,
    );
    return items;
  };
  const one = (scope: Scope, id: string): Attached => {
    const found = all().find(({ volume, attachment }) => attachment.id === id && owns(scope, volume.projectId));
    if (found === undefined) throw notFound(id);
    return found;
  };
  const fileFor = (scope: Scope) => (id: string) => fileSeenBy(scope, lifecycle.fileOf(id));
  const shown = (id: string, scope: Scope) => ({
    attachment: detail(one(scope, id), fileFor(scope)),
  });

  app.get("/attachments", (request) => ({ attachments: page(request).map(summary) }));
  app.get("/attachments/detail", (request) => ({
    attachments: page(request).map((item) => detail(item, fileFor(request.scope))),
  }));
  app.get<One>("/attachments/:id", (request) => {
    since(request, 27);
    return shown(request.params.id, request.scope);
  });

  app.post("/attachments", (request) => {
    since(request, 27);
    const { attachment: asked } = parseBody(createBody(request.microversion), request.body);
    const id = store.transaction(() => {
      const volume = ownVolume(volumes, request.scope, asked.volume_uuid);
      demandReservable(volume);
      const attachment: VolumeAttachment = {
        ...{ id: randomUUID(), serverId: asked.instance_uuid ?? null, device: null, attachedAt: null },
        ...{ mode: volume.readonly === true ? "ro" : (asked.mode ?? "null") },
      };
      const reserved: Volume = { ...changed(volume, { status: "reserved" }), attachment };
      volumes.put(asked.connector ? connected(reserved, attachment, asked.connector) : reserved);
      return attachment.id;
    });
    return shown(id, request.scope);
  });

  app.put<One>("/attachments/:id", (request) => {
    since(request, 27);
    const { connector } = parseBody(updateBody, request.body).attachment;
    store.transaction(() => {
      const { volume, attachment } = one(request.scope, request.params.id);
      if (volume.status.includes("error")) {
        const shownStatus = `The Volume ${volume.id} currently has a status of: ${volume.status} `;
        throw unableToUpdate(
          `Invalid volume: Volume attachments can not be updated if the volume is in an error state. ${shownStatus}`,
        );
      }
      demandNotWithServer(context, volume);
      volumes.put(connected(volume, attachment, connector));
    });
    return shown(request.params.id, request.scope);
  });

  app.post<One>("/attachments/:id/action", (request, reply) => {
    since(request, 44);
    const [name] = Object.keys((request.body as object | null | undefined) ?? {});
    if (name !== "os-complete") {
      throw cinder.noSuchAction(name);
    }
    store.transaction(() => {
      const { volume, attachment } = one(request.scope, request.params.id);
      demandNotWithServer(context, volume);
      const attachedAt = attachment.attachedAt ?? new Date(now()).toISOString();
      volumes.put({ ...changed(volume, { status: "in-use" }), attachment: { ...attachment, attachedAt } });
    });
    return reply.code(204).send();
  });

  app.delete<One>("/attachments/:id", (request) => {
    since(request, 27);
    store.transaction(() => {
      const { volume } = one(request.scope, request.params.id);
      demandNotWithServer(context, volume);
      volumes.put(detached(volume));
    });
    return { attachments: [] };
  });
}

/**
 * Whoever has a server's volume to be free asks Nova: taken away here, the server would still write to it.
 * @throws ApiError 409 in Cinder's words
 */
export function demandNotWithServer({ isServersDisk }: VolumeContext, { id, attachment }: Volume): void {
  if (attachment === null || !isServersDisk(id)) return;
  throw cinder.conflict(
    `ConflictNovaUsingAttachment: Detach volume from instance ${attachment.serverId} using the Compute API`,
  );
}

/** The volume handed to the machine that the connector tells of. */
function connected(volume: Volume, attachment: VolumeAttachment, connector: Record<string, unknown>): Volume {
  const { mountpoint = null, mode } = connector;
  return {
    ...changed(volume, { status: "attaching" }),
    attachment: {
      ...attachment,
      connector,
      device: mountpoint === null ? attachment.device : String(mountpoint),
      mode: mode === "ro" || mode === "rw" ? mode : attachment.mode === "ro" ? "ro" : "rw",
    },
  };
}

const notFound = (id: string) =>
  new ApiError(404, `Volume attachment could not be found with filter: attachment_id = ${id}.`);
const unableToUpdate = (reason: string) => new ApiError(500, `Unable to update attachment.(${reason}).`);

function statusOf({ attachment }: Attached): string {
  if (attachment.attachedAt !== null) return "attached";
  return attachment.connector === undefined ? "reserved" : "attaching";
}

function summary(item: Attached): Record<string, unknown> {
  const { attachment, volume } = item;
  return { id: attachment.id, status: statusOf(item), instance: attachment.serverId, volume_id: volume.id };
}

function detail(item: Attached, fileOf: (id: string) => string | undefined): Record<string, unknown> {
  const { attachedAt, connector, mode } = item.attachment;
  const shownMode = mode ?? (attachedAt === null ? "null" : "rw");
  return {
    ...summary(item),
    attached_at: attachedAt === null ? "" : isoMicrosNoZone(attachedAt),
    detached_at: "",
    attach_mode: shownMode,
    connection_info: connector === undefined ? {} : flat(connectionInfo(fileOf(item.volume.id), shownMode), item.id),
  };
}

/** As the attachment API shows it; the older `os-initialize_connection` shows the data apart. */
function flat({ driver_volume_type, data }: ReturnType<typeof connectionInfo>, id: string): Record<string, unknown> {
  return { ...data, driver_volume_type, attachment_id: id };
}
