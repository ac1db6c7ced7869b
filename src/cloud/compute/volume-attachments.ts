import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import { isAdmin, owns, type Scope } from "../identity/scope.ts";
import { detaching } from "../volume/attachment-states.ts";
import { ownVolume } from "../volume/context.ts";
import { demandState, demandUnlocked } from "./action.ts";
import { type BlockDevice, devicesOf, isRoot } from "./block-devices.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { actionTable, startAction } from "./instance-actions.ts";
import { pageOf } from "./paging.ts";
import type { Server, VmState } from "./records.ts";
import { boolean, since, tagSchema, uuid } from "./schema-types.ts";
import { ownServer } from "./servers.ts";
import { connectVolume, passedOn } from "./volume-connection.ts";

const device = z
  .string()
  .regex(/(^\/dev\/x{0,1}[a-z]{0,1}d{0,1})([a-z]+)[0-9]*$/)
  .nullable()
  .optional();

/** What a create takes: `tag` from 2.49 on, `delete_on_termination` from 2.79. */
const createBody = (microversion: number) =>
  z.strictObject({
    volumeAttachment: z.strictObject({
      volumeId: uuid,
      device,
      tag: since(microversion, 49, tagSchema),
      delete_on_termination: since(microversion, 79, boolean),
    }),
  });

const updateBody = (microversion: number) =>
  z.strictObject({
    volumeAttachment: z.strictObject({
      volumeId: uuid,
      device,
      tag: since(microversion, 85, tagSchema),
      delete_on_termination: since(microversion, 85, boolean),
      serverId: since(microversion, 85, uuid),
      id: since(microversion, 85, uuid),
    }),
  });

const states: VmState[] = ["active", "paused", "stopped", "resized", "shelved_offloaded"];

interface One {
  Params: { id: string };
}
interface OneVolume {
  Params: { id: string; volume: string };
}
type Query = Record<string, string | string[]>;

/** `/servers/{id}/os-volume_attachments` */
export function volumeAttachmentRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { store, volumes, blockDevices, lifecycle } = context;
  const path = "/servers/:id/os-volume_attachments";
  const deviceOf = (scope: Scope, { id, volume }: OneVolume["Params"], missing?: string): BlockDevice => {
    const { id: serverId } = ownServer(context, scope, id);
    const found = devicesOf(blockDevices, serverId).find((item) => item.volumeId === volume);
    if (found === undefined) {
      throw new ApiError(404, missing ?? `Instance ${id} is not attached to volume ${volume}`);
    }
    return found;
  };
  /** Volumes go into and out of servers that are off their host since 2.20. */
  const demandChangeable = (request: FastifyRequest, server: Server, name: string) => {
    if (server.vmState === "shelved_offloaded" && request.microversion < 20) {
      throw nova.wrongState(name, server.id, server.vmState);
    }
    demandUnlocked(server, request.scope);
    demandState(server, name, { states });
  };

  app.get<One & { Querystring: Query }>(path, ({ scope, params, query, microversion }) => {
    const own = devicesOf(blockDevices, ownServer(context, scope, params.id).id);
    return { volumeAttachments: pageOf(own, query).map((item) => attachmentView(item, microversion)) };
  });
  app.get<OneVolume>(`${path}/:volume`, ({ scope, params, microversion }) => ({
    volumeAttachment: attachmentView(deviceOf(scope, params), microversion),
  }));

  app.post<One>(path, (request) => {
    const { scope, params, body, microversion, id: requestId } = request;
    const { volumeAttachment: asked } = parseSchema(createBody(microversion), body ?? null);
    const made = store.transaction(() => {
      const server = ownServer(context, scope, params.id);
      demandChangeable(request, server, "attach_volume");
      const wanted = {
        volumeId: asked.volumeId,
        tag: asked.tag ?? null,
        deleteOnTermination: asked.delete_on_termination ?? false,
      };
      const holder = blockDevices.find((item) => item.volumeId === asked.volumeId);
      if (holder !== undefined && owns(scope, volumes.get(asked.volumeId)?.projectId ?? "")) {
        throw nova.badRequest(
          `Invalid volume: volume ${asked.volumeId} is already attached to instances: ${holder.serverId}`,
        );
      }
      const connected = connectVolume(context, scope, server, wanted);
      startAction(actionTable(store), server.id, { scope, requestId }, "attach_volume");
      return connected;
    });
    lifecycle.attach(made.serverId, made.id);
    return { volumeAttachment: attachmentView(made, Math.min(microversion, 88)) };
  });

  app.put<OneVolume>(`${path}/:volume`, ({ scope, params, body, microversion }, reply) => {
    const { volumeAttachment: asked } = parseSchema(updateBody(microversion), body ?? null);
    ownServer(context, scope, params.id);
    if (microversion < 85 || asked.volumeId !== params.volume) {
      if (!isAdmin(scope)) throw nova.forbidden("os_compute_api:os-volumes-attachments:swap");
      throw new ApiError(501, "This cloud does not swap volumes.");
    }
    const found = deviceOf(scope, params, `No volume Block Device Mapping with id ${params.volume}.`);
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

  app.delete<OneVolume>(`${path}/:volume`, (request, reply) => {
    const { scope, params, id: requestId } = request;
    const found = store.transaction(() => {
      const server = ownServer(context, scope, params.id);
      const volume = ownVolume(volumes, scope, params.volume);
      const own = deviceOf(scope, params);
      if (isRoot(own)) throw nova.badRequest("Cannot detach a root device volume");
      demandChangeable(request, server, "detach_volume");
      passedOn("Invalid volume: ", () => volumes.put(detaching(volume)));
      startAction(actionTable(store), server.id, { scope, requestId }, "detach_volume");
      return own;
    });
    lifecycle.detach(found.serverId, found.id);
    return reply.code(202).send();
  });
}

/** The attachment as its microversion shows it: `id` is the volume's until 2.88, and then says nothing that is not said. */
function attachmentView(item: BlockDevice, microversion: number): Record<string, unknown> {
  return {
    ...(microversion < 89 ? { id: item.volumeId } : {}),
    serverId: item.serverId,
    volumeId: item.volumeId,
    device: item.device,
    ...(microversion >= 70 ? { tag: item.tag } : {}),
    ...(microversion >= 79 ? { delete_on_termination: item.deleteOnTermination } : {}),
    ...(microversion >= 89 ? { attachment_id: item.attachmentId, bdm_uuid: item.id } : {}),
  };
}
