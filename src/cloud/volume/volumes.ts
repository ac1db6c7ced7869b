import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { booleanLike, parseBody } from "../http/body.ts";
import { metadataRoutes, metadataSchema } from "../http/metadata-routes.ts";
import { sendUntyped } from "../http/untyped.ts";
import { isAdmin } from "../identity/scope.ts";
import { ownVolume, type VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import { type Listing, pageOf } from "./listing.ts";
import { tell } from "./message-records.ts";
import { isPlaceable } from "./placement.ts";
import { changed, type Volume } from "./records.ts";
import { pageView, shortView, viewerAt, volumeView } from "./view.ts";
import { volumeAction } from "./volume-actions.ts";
import { createVolume, naming } from "./volume-create.ts";
import { deleteVolume } from "./volume-delete.ts";

const updateBody = z.strictObject({
  volume: z.strictObject({ ...naming, metadata: metadataSchema.optional() }),
});

/** What others than administrators may filter volumes by. */
export const volumeFilters = [
  ...["name", "status", "metadata", "bootable", "migration_status", "availability_zone", "group_id", "size"],
  ...["created_at", "updated_at", "consumes_quota"],
];

interface One {
  Params: { id: string };
}

/** `/volumes`: list, create, show, update, delete, summary, metadata, actions. */
export function volumeRoutes(app: FastifyInstance, context: VolumeContext): void {
  const { store, volumes, types, lifecycle, base } = context;
  const viewer = viewerAt(base);
  const show = (volume: Volume, request: FastifyRequest) => volumeView(volume, types, viewer(request));
  const listing = (request: FastifyRequest): Listing<Volume> => ({
    records: volumes.list(),
    fields: (volume) => {
      const shown = show(volume, request);
      return {
        ...shown,
        project_id: volume.projectId,
        migration_status: volume.migrationStatus ?? null,
        host: shown["os-vol-host-attr:host"],
        glance_metadata: volume.imageMetadata ?? {},
      };
    },
    filters: volumeFilters,
    projectOf: ({ projectId }) => projectId,
    missing: cinder.volumeNotFound,
  });
  const list = (request: FastifyRequest, path: string, view: (volume: Volume) => unknown) =>
    pageView(pageOf(listing(request), request), { name: "volumes", path, show: view }, viewer(request));

  app.get("/volumes", (request) => list(request, "/volumes", (volume) => shortView(volume, viewer(request))));
  app.get("/volumes/detail", (request) => list(request, "/volumes/detail", (volume) => show(volume, request)));
  app.get("/volumes/summary", (request) => {
    if (request.microversion < 12) throw cinder.noSuchPath();
    const { items } = pageOf(listing(request), request);
    const total = { total_count: items.length, total_size: items.reduce((sum, { size }) => sum + size, 0) };
    return { "volume-summary": { ...total, ...(request.microversion >= 36 ? { metadata: allMetadata(items) } : {}) } };
  });

  app.post("/volumes", (request, reply) => {
    const volume = store.transaction(() => {
      const made = createVolume(context, request.scope, request.body, request.microversion);
      const type = types.get(made.typeId ?? "");
      if (type !== undefined && !isPlaceable(type)) unplaced(context, made);
      return made;
    });
    void lifecycle.create(volume.id);
    return reply.code(202).send({ volume: volumeView(volume, types, viewer(request), "answer") });
  });

  app.get<One>("/volumes/:id", (request) => ({
    volume: show(ownVolume(volumes, request.scope, request.params.id), request),
  }));

  app.put<One>("/volumes/:id", (request) => {
    const { volume: change } = parseBody(updateBody, request.body);
    if (Object.keys(change).length === 0) {
      throw cinder.badRequest(
        "Invalid input for field/attribute volume. Value: {}. {} is not valid under any of the given schemas",
      );
    }
    const volume = store.transaction(() => {
      const own = ownVolume(volumes, request.scope, request.params.id);
      const name = change.name === undefined ? change.display_name : change.name; // null takes the name away
      const description = change.description === undefined ? change.display_description : change.description;
      return volumes.put(
        changed(own, {
          ...(name === undefined ? {} : { name }),
          ...(description === undefined ? {} : { description }),
          ...(change.metadata === undefined ? {} : { metadata: change.metadata }),
        }),
      );
    });
    return { volume: volumeView(volume, types, viewer(request), "answer") };
  });

  app.delete<One & { Querystring: { force?: string; cascade?: string } }>(
    "/volumes/:id",
    ({ scope, params, query, microversion }, reply) => {
      const force = microversion >= 23 && parseBody(booleanLike, query.force ?? false);
      const cascade = parseBody(booleanLike, query.cascade ?? false);
      const after = store.transaction(() => {
        const volume = ownVolume(volumes, scope, params.id);
        if (force && !isAdmin(scope)) throw cinder.forbidden("volume:force_delete");
        return deleteVolume(context, volume, { force, cascade });
      });
      after();
      return sendUntyped(reply, 202);
    },
  );

  app.post<One>("/volumes/:id/action", (request, reply) => {
    const { status, body, after } = store.transaction(() => volumeAction(context, request));
    after?.();
    return reply.code(status).send(body);
  });

  metadataRoutes(app, {
    path: "/volumes/:id",
    store,
    own: (scope, id) => ownVolume(volumes, scope, id),
    save: (id, metadata) => void volumes.patch(id, { metadata }),
    missing: (id, key) => new ApiError(404, `Volume ${id} has no metadata with key ${key}.`),
  });
}

/** No place is found for the volume, as Cinder's scheduler finds out a moment later. */
function unplaced({ volumes, messages }: VolumeContext, volume: Volume): void {
  volumes.put(changed(volume, { status: "error", unplaced: true }));
  const about = { projectId: volume.projectId, resourceType: "VOLUME", resourceId: volume.id } as const;
  tell(messages, about, { action: "allocate", detail: "noBackend" });
}

/** Every key with the distinct values that it has. */
function allMetadata(volumes: Volume[]): Record<string, string[]> {
  const values = new Map<string, Set<string>>();
  for (const { metadata } of volumes) {
    for (const [key, value] of Object.entries(metadata)) values.set(key, (values.get(key) ?? new Set()).add(value));
  }
  return Object.fromEntries([...values].map(([key, set]) => [key, [...set]]));
}
