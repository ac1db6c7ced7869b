import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { booleanLike, parseBody } from "../http/body.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import { detaching, reserved } from "../volume/attachment-states.ts";
import { ownVolume } from "../volume/context.ts";
import { demandState } from "./action.ts";
import { type BlockDevice, devicesOf, nextDevice } from "./block-devices.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { tagSchema } from "./server-tags.ts";
import { ownServer } from "./servers.ts";

const device = z
  .string()
  .regex(/^\/dev\/x?[a-z]?d?[a-z]+[0-9]*$/)
  .nullable()
  .optional();
const tag = tagSchema.optional();
const base = { volumeId: z.uuid(), device };

/** What a create takes: `tag` from 2.49 on, `delete_on_termination` from 2.79. */
const createBody = (microversion: number) =>
  z.strictObject({
    volumeAttachment: z.strictObject({
      ...base,
      tag: microversion >= 49 ? tag : z.undefined().optional(),
      delete_on_termination: microversion >= 79 ? booleanLike.optional() : z.undefined().optional(),
    }),
  });

const updateBody = z.strictObject({
  volumeAttachment: z.strictObject({
    ...base,
    tag,
    id: z.string().optional(),
    serverId: z.string().optional(),
    delete_on_termination: booleanLike.optional(),
  }),
});

interface One {
  Params: { id: string };
}
interface OneVolume {
  Params: { id: string; volume: string };
}

/** `/servers/{id}/os-volume_attachments` */
export function volumeAttachmentRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { store, volumes, blockDevices, lifecycle } = context;
  const path = "/servers/:id/os-volume_attachments";
  const deviceOf = (scope: Scope, { id, volume }: OneVolume["Params"]): BlockDevice => {
    const { id: serverId } = ownServer(context, scope, id);
    const found = devicesOf(blockDevices, serverId).find((item) => item.volumeId === volume);
    if (found === undefined) throw new ApiError(404, `Instance ${id} is not attached to volume ${volume}`);
    return found;
  };

  app.get<One>(path, ({ scope, params, microversion }) => ({
    volumeAttachments: devicesOf(blockDevices, ownServer(context, scope, params.id).id).map((item) =>
      attachmentView(item, microversion),
    ),
  }));
  app.get<OneVolume>(`${path}/:volume`, ({ scope, params, microversion }) => ({
    volumeAttachment: attachmentView(deviceOf(scope, params), microversion),
  }));

  app.post<One>(path, ({ scope, params, body, microversion }) => {
    const { volumeAttachment: asked } = parseBody(createBody(microversion), body);
    const made = store.transaction(() => {
      const server = ownServer(context, scope, params.id);
      demandState(server, "attach_volume", ["active", "stopped"]);
      const volume = ownVolume(volumes, scope, asked.volumeId);
      demandUnattached(context, volume.id);
      const taken = passedOn("", () => reserved(volume, server.id));
      volumes.put(taken);
      return blockDevices.put({
        id: randomUUID(),
        serverId: server.id,
        volumeId: volume.id,
        attachmentId: taken.attachment.id,
        device: nextDevice(devicesOf(blockDevices, server.id)),
        tag: asked.tag ?? null,
        deleteOnTermination: asked.delete_on_termination ?? false,
      });
    });
    lifecycle.attach(made.serverId, made.id);
    return { volumeAttachment: attachmentView(made, Math.min(microversion, 88)) };
  });

  app.put<OneVolume>(`${path}/:volume`, ({ scope, params, body, microversion }, reply) => {
    const { volumeAttachment: asked } = parseBody(updateBody, body);
    const found = deviceOf(scope, params);
    if (microversion < 85 || asked.volumeId !== params.volume) {
      if (!isAdmin(scope)) throw nova.forbidden("os_compute_api:os-volumes-attachments:swap");
      throw new ApiError(501, "This cloud does not swap volumes.");
    }
    const fixed = { id: found.volumeId, serverId: found.serverId, device: found.device, tag: found.tag };
    for (const name of ["id", "serverId", "device", "tag"] as const) {
      if (asked[name] !== undefined && asked[name] !== fixed[name]) {
        throw nova.badRequest(`The ${name} property is not mutable`);
      }
    }
    if (asked.delete_on_termination !== undefined) {
      blockDevices.patch(found.id, { deleteOnTermination: asked.delete_on_termination });
    }
    return reply.code(202).send();
  });

  app.delete<OneVolume>(`${path}/:volume`, ({ scope, params }, reply) => {
    const found = store.transaction(() => {
      const server = ownServer(context, scope, params.id);
      const volume = ownVolume(volumes, scope, params.volume);
      const own = deviceOf(scope, params);
      demandState(server, "detach_volume", ["active", "stopped"]);
      passedOn("Invalid volume: ", () => volumes.put(detaching(volume)));
      return own;
    });
    lifecycle.detach(found.serverId, found.id);
    return reply.code(202).send();
  });
}

/** @throws ApiError 400 for a volume that some server has */
function demandUnattached({ blockDevices }: ComputeContext, volumeId: string): void {
  const holder = blockDevices.find((item) => item.volumeId === volumeId);
  if (holder === undefined) return;
  throw nova.badRequest(`Invalid volume: volume ${volumeId} is already attached to instances: ${holder.serverId}`);
}

/** Nova passes Cinder's refusals on inside its own. */
function passedOn<T>(prefix: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw error instanceof ApiError ? nova.badRequest(`${prefix}Invalid input received: ${error.message}`) : error;
  }
}

/** The attachment as its microversion shows it: `id` is the volume's until 2.88, and then says nothing that is not said. */
function attachmentView(item: BlockDevice, microversion: number): Record<string, unknown> {
  return {
    ...(microversion < 89 ? { id: item.volumeId } : {}),
    volumeId: item.volumeId,
    serverId: item.serverId,
    device: item.device,
    ...(microversion >= 70 ? { tag: item.tag } : {}),
    ...(microversion >= 79 ? { delete_on_termination: item.deleteOnTermination } : {}),
    ...(microversion >= 89 ? { attachment_id: item.attachmentId, bdm_uuid: item.id } : {}),
  };
}
