import { randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { booleanLike, parseBody } from "../http/body.ts";
import { metadataRoutes, metadataSchema } from "../http/metadata-routes.ts";
import { isoSeconds } from "../http/time.ts";
import { sendUntyped } from "../http/untyped.ts";
import type { Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import { demandAdmin, ownSnapshot, ownVolume, type VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import { pageOf } from "./listing.ts";
import { demandQuota } from "./quotas.ts";
import { changed, type Snapshot, snapshotStatuses, type Volume } from "./records.ts";
import { pageView, snapshotView, viewerAt } from "./view.ts";

const text = z.string().max(255).nullable().optional();
const createBody = z.strictObject({
  snapshot: z.strictObject({
    ...{ name: text, display_name: text, description: text },
    volume_id: z.guid().nullable(),
    force: booleanLike.optional(),
    metadata: metadataSchema.nullable().optional(),
  }),
});
const updateBody = z.strictObject({
  snapshot: z
    .strictObject({ name: text, display_name: text, description: text, display_description: text })
    .refine((fields) => Object.keys(fields).length > 0, { message: "is not valid under any of the given schemas" }),
});

interface One {
  Params: { id: string };
}

/** `/snapshots`: list, create, show, update, delete, metadata, actions. */
export function snapshotRoutes(app: FastifyInstance, context: VolumeContext): void {
  const { store, snapshots, lifecycle, base } = context;
  const viewer = viewerAt(base);
  const list = (request: FastifyRequest, path: string, kind: "summary" | "full") => {
    const page = pageOf(
      {
        records: snapshots.list(),
        fields: (snapshot) => ({
          ...snapshotView(snapshot, viewer(request), "full"),
          project_id: snapshot.projectId,
          consumes_quota: true,
          availability_zone: "nova",
        }),
        filters: ["name", "status", "volume_id", "metadata", "availability_zone", "consumes_quota"],
        projectOf: ({ projectId }) => projectId,
        missing: cinder.snapshotNotFound,
      },
      request,
    );
    const show = (snapshot: Snapshot) => snapshotView(snapshot, viewer(request), kind);
    return pageView(page, { name: "snapshots", path, show }, viewer(request));
  };
  app.get("/snapshots", (request) => list(request, "/snapshots", "summary"));
  app.get("/snapshots/detail", (request) => list(request, "/snapshots/detail", "full"));
  app.get<One>("/snapshots/:id", (request) => ({
    snapshot: snapshotView(ownSnapshot(snapshots, request.scope, request.params.id), viewer(request), "full"),
  }));

  app.post("/snapshots", (request, reply) => {
    const made = store.transaction(() => createSnapshot(context, request.scope, request.body, request.microversion));
    void lifecycle.createSnapshots([made.id]);
    return reply.code(202).send({ snapshot: snapshotView(made, viewer(request), "answer") });
  });

  app.put<One>("/snapshots/:id", (request) => {
    const { snapshot: change } = parseBody(updateBody, request.body);
    const name = change.name === undefined ? change.display_name : change.name;
    const description = change.description === undefined ? change.display_description : change.description;
    const snapshot = store.transaction(() =>
      snapshots.put(
        changed(ownSnapshot(snapshots, request.scope, request.params.id), {
          ...(name === undefined ? {} : { name }),
          ...(description === undefined ? {} : { description }),
        }),
      ),
    );
    return { snapshot: snapshotView(snapshot, viewer(request), "answer") };
  });

  app.delete<One>("/snapshots/:id", ({ scope, params }, reply) => {
    deleteSnapshot(context, scope, params.id);
    return sendUntyped(reply, 202);
  });

  app.post<One>("/snapshots/:id/action", ({ scope, params, body }, reply) => {
    const after = store.transaction(() =>
      snapshotAction(context, ownSnapshot(snapshots, scope, params.id), scope, body),
    );
    after?.();
    return reply.code(202).send();
  });

  metadataRoutes(app, {
    path: "/snapshots/:id",
    store,
    own: (scope, id) => ownSnapshot(snapshots, scope, id),
    save: (id, metadata) => void snapshots.patch(id, { metadata }),
    missing: (id, key) => new ApiError(404, `Snapshot ${id} has no metadata with key ${key}.`),
  });
}

/** Begins a snapshot's end. @throws ApiError 400, 404 */
export function deleteSnapshot({ store, snapshots, lifecycle }: VolumeContext, scope: Scope, id: string): void {
  store.transaction(() => {
    const snapshot = ownSnapshot(snapshots, scope, id);
    const isIdle = snapshot.status === "available" || snapshot.status === "error";
    if (!isIdle || snapshot.groupSnapshotId !== undefined) {
      throw cinder.invalidSnapshot("Snapshot status must be available or error and must not be part of a group.");
    }
    snapshots.put(changed(snapshot, { status: "deleting" }));
  });
  void lifecycle.deleteSnapshot(id);
}

/** Of a volume in use where that is forced, and from 3.66 on always. @throws ApiError 400, 404, 413 */
export function createSnapshot(
  context: VolumeContext,
  scope: Scope,
  input: unknown,
  microversion: number,
  partOf: Pick<Snapshot, "groupSnapshotId" | "imageId"> = {},
): Snapshot {
  const { snapshot: body } = parseBody(createBody, input);
  const volume = ownVolume(context.volumes, scope, body.volume_id ?? "None");
  if (microversion >= 66 && body.force === false) {
    throw cinder.badRequest(
      "Since microversion 3.66 the 'force' flag is invalid for this request.  For backward compatability, however, when the 'force' flag is passed with a value evaluating to True, it is silently ignored.",
    );
  }
  demandSnapshotable(volume, body.force === true || microversion >= 66 ? ["available", "in-use"] : ["available"]);
  const projectId = projectOf(scope).id;
  demandQuota(context, projectId, {
    snapshots: 1,
    gigabytes: volume.size,
    ...(volume.typeId === undefined ? {} : { typeId: volume.typeId }),
  });
  return context.snapshots.put({
    id: randomUUID(),
    projectId,
    userId: scope.userId,
    volumeId: volume.id,
    name: body.name ?? body.display_name ?? null,
    description: body.description ?? null,
    size: volume.size,
    status: "creating",
    progress: "0%",
    metadata: body.metadata ?? {},
    ...(volume.typeId === undefined ? {} : { typeId: volume.typeId }),
    bootable: volume.bootable ?? false,
    imageMetadata: volume.imageMetadata ?? {},
    createdAt: isoSeconds(),
    updatedAt: null,
    ...partOf,
  });
}

function demandSnapshotable({ id, status, unplaced }: Volume, statuses: string[]): void {
  if (unplaced === true) {
    throw cinder.invalidVolume("The snapshot cannot be created because volume has not been scheduled to any host.");
  }
  if (status === "maintenance") {
    throw cinder.invalidVolume("The snapshot cannot be created when the volume is in maintenance mode.");
  }
  if (status === "error") {
    throw cinder.invalidVolume("The snapshot cannot be created when the volume is in error status.");
  }
  if (statuses.includes(status)) return;
  throw cinder.invalidVolume(`Volume ${id} status must be ${statuses.join(", ")}, but current status is: ${status}.`);
}

const status = z.strictObject({ status: z.string(), progress: z.string().optional() });

/** What a driver says of a snapshot in the making. */
const transitions: Record<string, string[]> = {
  creating: ["creating", "available", "error"],
  deleting: ["deleting", "error_deleting"],
};

/** @returns what is to be done once the change is kept */
function snapshotAction(
  { snapshots, lifecycle }: VolumeContext,
  snapshot: Snapshot,
  scope: Scope,
  body: unknown,
): (() => void) | undefined {
  const [name] = Object.keys((body as object | null | undefined) ?? {});
  const inner = (body as Record<string, unknown> | undefined)?.[name ?? ""];
  if (name === "os-reset_status") {
    const asked = parseBody(status, inner).status.toLowerCase();
    if (!snapshotStatuses.some((one) => one === asked)) {
      throw cinder.badRequest(
        `Snapshot status: ${asked} is invalid, valid statuses are: (${snapshotStatuses.map((one) => `'${one}'`).join(", ")}).`,
      );
    }
    demandAdmin(scope, "volume_extension:snapshot_admin_actions:reset_status");
    snapshots.put(changed(snapshot, { status: asked as Snapshot["status"] }));
    return undefined;
  }
  if (name === "os-force_delete") {
    demandAdmin(scope, "volume_extension:snapshot_admin_actions:force_delete");
    snapshots.put(changed(snapshot, { status: "deleting" }));
    return () => void lifecycle.deleteSnapshot(snapshot.id);
  }
  if (name === "os-update_snapshot_status") {
    const asked = parseBody(status, inner);
    demandAdmin(scope, "snapshot_extension:snapshot_actions:update_snapshot_status");
    const next = transitions[snapshot.status];
    if (next === undefined) {
      throw cinder.badRequest(`Snapshot status ${snapshot.status} not allowed for update_snapshot_status`);
    }
    if (!next.includes(asked.status)) {
      throw cinder.badRequest(
        `Provided snapshot status ${asked.status} not allowed for snapshot with status ${snapshot.status}.`,
      );
    }
    const { progress = snapshot.progress } = asked;
    snapshots.put(changed(snapshot, { status: asked.status as Snapshot["status"], progress }));
    return undefined;
  }
  throw cinder.noSuchAction(name);
}
