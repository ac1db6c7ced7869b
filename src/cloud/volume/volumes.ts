import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { booleanLike, parseBody } from "../http/body.ts";
import { metadataRoutes, metadataSchema } from "../http/metadata-routes.ts";
import { isAdmin } from "../identity/scope.ts";
import { ownVolume, type VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import { changed, type Volume } from "./records.ts";
import { addressOf, shortView, type ViewContext, volumeView } from "./view.ts";
import { createVolume, naming } from "./volume-create.ts";
import { extending } from "./volume-extend.ts";
import { selectVolumes, type VolumeQuery } from "./volume-list.ts";

const updateBody = z.strictObject({
  volume: z.strictObject({ ...naming, metadata: metadataSchema.optional() }),
});

/** Actions that Cinder has; of this cloud's volumes only Nova's attachments change the state. */
const notDone = new Set([
  "os-attach",
  "os-begin_detaching",
  "os-detach",
  "os-force_delete",
  "os-force_detach",
  "os-initialize_connection",
  "os-migrate_volume",
  "os-reserve",
  "os-reset_status",
  "os-retype",
  "os-roll_detaching",
  "os-set_bootable",
  "os-set_image_metadata",
  "os-terminate_connection",
  "os-unreserve",
  "os-update_readonly_flag",
  "os-volume_upload_image",
  "revert",
]);

interface One {
  Params: { id: string };
}
interface Listing {
  Querystring: VolumeQuery;
}

/** `/volumes`: list, create, show, update, delete, summary, metadata. */
export function volumeRoutes(app: FastifyInstance, context: VolumeContext): void {
  const { store, volumes, lifecycle, base } = context;
  const view = (request: FastifyRequest): ViewContext => ({
    base: base(),
    microversion: request.microversion,
    scope: request.scope,
  });
  const page = (request: FastifyRequest<Listing>, path: string, show: (volume: Volume) => unknown) => {
    const { volumes: selected, more } = selectVolumes(volumes, request.query, view(request));
    const last = selected.at(-1);
    if (!more || last === undefined) return { volumes: selected.map(show) };
    const query = new URLSearchParams({ ...(request.query as Record<string, string>), marker: last.id });
    const href = `${addressOf(path, view(request))}?${query}`;
    return { volumes: selected.map(show), volumes_links: [{ rel: "next", href }] };
  };

  app.get<Listing>("/volumes", (request) => page(request, "/volumes", (volume) => shortView(volume, view(request))));
  app.get<Listing>("/volumes/detail", (request) =>
    page(request, "/volumes/detail", (volume) => volumeView(volume, view(request))),
  );
  app.get<Listing>("/volumes/summary", (request) => {
    if (request.microversion < 12) throw new ApiError(404, "The resource could not be found.");
    const { volumes: own } = selectVolumes(volumes, request.query, view(request));
    const total = { total_count: own.length, total_size: own.reduce((sum, { size }) => sum + size, 0) };
    return { "volume-summary": { ...total, ...(request.microversion >= 36 ? { metadata: allMetadata(own) } : {}) } };
  });

  app.post("/volumes", (request, reply) => {
    const volume = store.transaction(() => createVolume(volumes, request.scope, request.body, request.microversion));
    lifecycle.create(volume.id);
    return reply.code(202).send({ volume: volumeView(volume, view(request)) });
  });

  app.get<One>("/volumes/:id", (request) => ({
    volume: volumeView(ownVolume(volumes, request.scope, request.params.id), view(request)),
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
    return { volume: volumeView(volume, view(request)) };
  });

  app.delete<One & { Querystring: { force?: string } }>(
    "/volumes/:id",
    ({ scope, params, query, microversion }, reply) => {
      const force = microversion >= 23 && parseBody(booleanLike, query.force ?? false);
      store.transaction(() => {
        const volume = ownVolume(volumes, scope, params.id);
        if (force && !isAdmin(scope)) throw cinder.forbidden("volume:force_delete");
        demandDeletable(volume, force);
        volumes.put(changed(volume, { status: "deleting" }));
      });
      lifecycle.delete(params.id);
      return reply.code(202).send();
    },
  );

  app.post<One>("/volumes/:id/action", ({ scope, params, body, microversion }, reply) => {
    const volume = ownVolume(volumes, scope, params.id);
    const [name] = Object.keys((body as object | undefined) ?? {});
    if (name === "os-extend") {
      store.transaction(() => volumes.put(extending(volumes, volume, body, microversion)));
      lifecycle.extend(volume.id);
      return reply.code(202).send();
    }
    if (name === undefined) throw cinder.badRequest("Malformed request body");
    if (notDone.has(name)) throw cinder.notDone(`does not do the action '${name}'`);
    throw cinder.badRequest(
      `There is no such action: ${name}. Verify the request body and Content-Type header and try again.`,
    );
  });

  metadataRoutes(app, {
    path: "/volumes/:id",
    store,
    own: (scope, id) => ownVolume(volumes, scope, id),
    save: (id, metadata) => void volumes.patch(id, { metadata }),
    missing: (id, key) => new ApiError(404, `Volume ${id} has no metadata with key ${key}.`),
    deletedStatus: 200,
  });
}

/** @throws ApiError 400 in Cinder's words for a volume that is attached or busy; `force` overlooks the status, never an attachment */
function demandDeletable({ status, attachment }: Volume, force: boolean): void {
  const idle = status === "available" || status === "error";
  if (attachment === null && (idle || (force && status !== "deleting"))) return;
  const allowed =
    "Volume status must be available or error or error_restoring or error_extending or error_managing and";
  throw cinder.invalidVolume(
    `${force ? "Volume" : allowed} must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer.`,
  );
}

/** Every key with the distinct values that it has. */
function allMetadata(volumes: Volume[]): Record<string, string[]> {
  const values = new Map<string, Set<string>>();
  for (const { metadata } of volumes) {
    for (const [key, value] of Object.entries(metadata)) values.set(key, (values.get(key) ?? new Set()).add(value));
  }
  return Object.fromEntries([...values].map(([key, set]) => [key, [...set]]));
}
