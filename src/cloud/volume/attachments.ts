import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { isoMicrosNoZone } from "../http/time.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import type { Volume, VolumeAttachment } from "./records.ts";

/** An attachment with its volume. */
interface Attached {
  volume: Volume;
  attachment: VolumeAttachment;
}

interface One {
  Params: { id: string };
}

/** `/attachments`, from 3.27 on, to read: Nova makes and ends them. */
export function attachmentRoutes(app: FastifyInstance, { volumes }: VolumeContext): void {
  const all = (where: (volume: Volume) => boolean): Attached[] =>
    volumes
      .list(where)
      .flatMap((volume) => (volume.attachment === null ? [] : [{ volume, attachment: volume.attachment }]));
  const ofProject = (request: FastifyRequest) => {
    since(request);
    const { volume_id, instance_id } = request.query as Record<string, string | undefined>;
    const projectId = projectOf(request.scope).id;
    return all((volume) => volume.projectId === projectId)
      .filter(({ volume }) => volume_id === undefined || volume.id === volume_id)
      .filter(({ attachment }) => instance_id === undefined || attachment.serverId === instance_id);
  };
  const one = (scope: Scope, id: string): Attached => {
    const [found] = all((volume) => volume.attachment?.id === id && owns(scope, volume.projectId));
    if (found !== undefined) return found;
    throw new ApiError(404, `Volume attachment could not be found with filter: attachment_id = ${id}.`);
  };

  app.get("/attachments", (request) => ({ attachments: ofProject(request).map(summary) }));
  app.get("/attachments/detail", (request) => ({ attachments: ofProject(request).map(detail) }));
  app.get<One>("/attachments/:id", (request) => {
    since(request);
    return { attachment: detail(one(request.scope, request.params.id)) };
  });
  app.delete<One>("/attachments/:id", (request) => {
    since(request);
    const { attachment } = one(request.scope, request.params.id);
    throw new ApiError(409, `Detach volume from instance ${attachment.serverId} using the Compute API`);
  });
  app.post("/attachments", (request) => {
    since(request);
    throw cinder.notDone("attaches volumes through the Compute API only");
  });
}

function since({ microversion }: FastifyRequest): void {
  if (microversion < 27) throw new ApiError(404, "The resource could not be found.");
}

function summary({ volume, attachment }: Attached): Record<string, unknown> {
  const status = attachment.attachedAt === null ? "reserved" : "attached";
  return { id: attachment.id, status, instance: attachment.serverId, volume_id: volume.id };
}

function detail(item: Attached): Record<string, unknown> {
  const { attachedAt } = item.attachment;
  return {
    ...summary(item),
    attached_at: attachedAt === null ? "" : isoMicrosNoZone(attachedAt),
    detached_at: "",
    attach_mode: attachedAt === null ? "null" : "rw",
    connection_info: {},
  };
}
