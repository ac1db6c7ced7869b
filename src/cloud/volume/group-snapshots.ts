import { randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { parseBody } from "../http/body.ts";
import { isoMicrosNoZone, isoSeconds } from "../http/time.ts";
import { sendUntyped } from "../http/untyped.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import { demandAdmin, ownGroup, ownGroupSnapshot, since, type VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import { text } from "./group-create.ts";
import type { GroupSnapshot } from "./group-records.ts";
import { statusIn } from "./groups.ts";
import { pageOf } from "./listing.ts";
import { changed } from "./records.ts";
import { createSnapshot } from "./snapshots.ts";
import { pageView, viewerAt } from "./view.ts";

interface One {
  Params: { id: string };
}

/** 3.14 is the microversion that brought them. */
const minor = 14;

const createBody = z.strictObject({
  group_snapshot: z.strictObject({ name: text, description: text, group_id: z.guid() }),
});

/** `/group_snapshots`: list, show, create, delete, reset. */
export function groupSnapshotRoutes(app: FastifyInstance, context: VolumeContext): void {
  const { store, groupSnapshots, groupLifecycle, base } = context;
  const detail = (taken: GroupSnapshot, { scope, microversion }: FastifyRequest) => ({
    ...{ id: taken.id, group_id: taken.groupId, group_type_id: taken.groupTypeId, status: taken.status },
    ...{ created_at: isoMicrosNoZone(taken.createdAt), name: taken.name, description: taken.description },
    ...(isAdmin(scope) && microversion >= 58 ? { project_id: taken.projectId } : {}),
  });
  const list = (request: FastifyRequest, path: string, show: (taken: GroupSnapshot) => unknown) => {
    since(request, minor);
    const { scope, microversion } = request;
    const query = microversion >= 29 ? request.query : {}; // no pages and filters before
    const page = pageOf(
      {
        records: groupSnapshots.list(),
        fields: (taken) => detail(taken, request),
        filters: ["name", "status", "group_id"],
        projectOf: ({ projectId }) => projectId,
        missing: cinder.groupSnapshotNotFound,
      },
      { query, scope, microversion },
    );
    return pageView(page, { name: "group_snapshots", path, show }, viewerAt(base)(request));
  };

  const listed = ({ id, name }: GroupSnapshot) => ({ id, name });
  app.get("/group_snapshots", (request) => list(request, "/group_snapshots", listed));
  app.get("/group_snapshots/detail", (request) =>
    list(request, "/group_snapshots/detail", (taken) => detail(taken, request)),
  );
  app.get<One>("/group_snapshots/:id", (request) => {
    since(request, minor);
    return { group_snapshot: detail(ownGroupSnapshot(context, request.scope, request.params.id), request) };
  });
  app.post("/group_snapshots", (request, reply) => {
    since(request, minor);
    const made = store.transaction(() => take(context, request.scope, request.body));
    groupLifecycle.createSnapshot(made.id);
    const { id, name, groupTypeId } = made;
    return reply.code(202).send({ group_snapshot: { id, name, group_type_id: groupTypeId } });
  });
  app.delete<One>("/group_snapshots/:id", (request, reply) => {
    since(request, minor);
    const { scope, params } = request;
    store.transaction(() => beginDelete(context, ownGroupSnapshot(context, scope, params.id)));
    groupLifecycle.deleteSnapshot(params.id);
    return sendUntyped(reply, 202);
  });
  app.post<One>("/group_snapshots/:id/action", (request, reply) => {
    since(request, 19);
    const { scope, params, body } = request;
    const status = statusIn(body, "Group snapshot");
    store.transaction(() => {
      const taken = ownGroupSnapshot(context, scope, params.id);
      demandAdmin(scope, "group:reset_group_snapshot_status");
      groupSnapshots.put(changed(taken, { status }));
    });
    return sendUntyped(reply, 202);
  });
}

/** Registers the snapshot of a group with those of its volumes. @throws ApiError 400 also for a group without any, 404, 413 */
function take(context: VolumeContext, scope: Scope, input: unknown): GroupSnapshot {
  const { group_snapshot: asked } = parseBody(createBody, input);
  const group = ownGroup(context, scope, asked.group_id);
  const members = context.volumes.list(({ groupId }) => groupId === group.id);
  if (members.length === 0 || group.status === "creating" || group.status === "updating") {
    throw cinder.invalidGroup(
      "Source group cannot be empty or in 'creating' or 'updating' state. No group snapshot will be created.",
    );
  }
  const { name = null, description = null } = asked;
  const taken = context.groupSnapshots.put({
    ...{ id: randomUUID(), projectId: projectOf(scope).id, userId: scope.userId, groupId: group.id },
    ...{ groupTypeId: group.groupTypeId, name, description, status: "creating" },
    ...{ createdAt: isoSeconds(), updatedAt: null },
  });
  for (const volume of members) {
    const body = { snapshot: { volume_id: volume.id, name, description, force: true } };
    createSnapshot(context, scope, body, 0, { groupSnapshotId: taken.id });
  }
  return taken;
}

/** @throws ApiError 400 while a group is made of it, too */
function beginDelete({ groups, groupSnapshots, snapshots }: VolumeContext, taken: GroupSnapshot): void {
  const isSource = groups.find((group) => group.status === "creating" && group.groupSnapshotId === taken.id);
  if ((taken.status !== "available" && taken.status !== "error") || isSource !== undefined) {
    throw cinder.badRequest(
      "Invalid GroupSnapshot: GroupSnapshot status must be available or error, and no Group can be currently using it as source for its creation.",
    );
  }
  groupSnapshots.put(changed(taken, { status: "deleting" }));
  for (const snapshot of snapshots.list(({ groupSnapshotId }) => groupSnapshotId === taken.id)) {
    snapshots.put(changed(snapshot, { status: "deleting" }));
  }
}
