import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { isoMicrosNoZone } from "../http/time.ts";
import { sendUntyped } from "../http/untyped.ts";
import { owns } from "../identity/scope.ts";
import { since, type VolumeContext } from "./context.ts";
import { pageOf } from "./listing.ts";
import { expiry, type UserMessage } from "./message-records.ts";
import { linksOf, viewerAt } from "./view.ts";

interface One {
  Params: { id: string };
}

/** `/messages`, from 3.3 on. */
export function messageRoutes(app: FastifyInstance, { store, messages, base }: VolumeContext): void {
  const view = (message: UserMessage, request: FastifyRequest) => ({
    id: message.id,
    event_id: message.eventId,
    user_message: message.text,
    message_level: "ERROR",
    created_at: isoMicrosNoZone(message.createdAt),
    guaranteed_until: isoMicrosNoZone(new Date(expiry(message.createdAt)).toISOString()),
    request_id: message.requestId,
    links: linksOf(`/messages/${message.id}`, viewerAt(base)(request)),
    resource_type: message.resourceType,
    resource_uuid: message.resourceId,
  });
  const own = (request: FastifyRequest<One>): UserMessage => {
    since(request, 3);
    const message = messages.get(request.params.id);
    if (message !== undefined && owns(request.scope, message.projectId)) return message;
    throw notFound(request.params.id);
  };
  app.get("/messages", (request) => {
    since(request, 3);
    const page = pageOf(
      {
        records: messages.list(),
        fields: (message) => view(message, request),
        filters: ["resource_uuid", "resource_type", "event_id", "request_id", "message_level"],
        projectOf: ({ projectId }) => projectId,
        missing: notFound,
      },
      request,
    );
    return { messages: page.items.map((message) => view(message, request)) };
  });
  app.get<One>("/messages/:id", (request) => ({ message: view(own(request), request) }));
  app.delete<One>("/messages/:id", (request, reply) => {
    store.transaction(() => messages.delete(own(request).id));
    return sendUntyped(reply, 204);
  });
}

const notFound = (id: string) => new ApiError(404, `Message ${id} could not be found.`);
