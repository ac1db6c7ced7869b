import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { lookup } from "../../common/lookup.ts";
import { booleanLike, parseBody } from "../http/body.ts";
import { isoMicrosNoZone } from "../http/time.ts";
import { sendUntyped } from "../http/untyped.ts";
import { isAdmin } from "../identity/scope.ts";
import { demandAdmin, ownGroup, since, type VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import { deleteGroup, updateGroup } from "./group-changes.ts";
import { copyGroup, createGroup, text } from "./group-create.ts";
import { groupStatuses, type VolumeGroup } from "./group-records.ts";
import { pageOf } from "./listing.ts";
import { changed } from "./records.ts";
import { pageView, viewerAt } from "./view.ts";

interface One {
  Params: { id: string };
}

/** 3.13 is the microversion that brought them. */
const minor = 13;

const updateBody = z.strictObject({
  group: z
    .strictObject({ name: text, description: text, add_volumes: text, remove_volumes: text })
    .refine((fields) => Object.keys(fields).length > 0, { message: "is not valid under any of the given schemas" }),
});
const deleteBody = z.strictObject({ delete: z.strictObject({ "delete-volumes": booleanLike.optional() }) });
const resetBody = z.strictObject({ reset_status: z.strictObject({ status: z.string() }) });

/** What asks for the replication of a group, of which nothing here has any. */
const replicationBodies = lookup<z.ZodType>({
  enable_replication: z.strictObject({ enable_replication: z.looseObject({}) }),
  disable_replication: z.strictObject({ disable_replication: z.looseObject({}) }),
  list_replication_targets: z.strictObject({ list_replication_targets: z.looseObject({}) }),
  failover_replication: z.strictObject({
    failover_replication: z.strictObject({
      allow_attached_volume: booleanLike.optional(),
      secondary_backend_id: z.string().nullable().optional(),
    }),
  }),
});

/** Cinder's words for a status that is none: it names one for groups that it does not take. */
const resetWords = {
  Group: ["Invalid Group Status", "valid status", ["in-use", "error_deleting"]],
  "Group snapshot": ["Invalid GroupSnapshot Status", "valid statuses", ["error_deleting"]],
} as const;

/** The status that a body of `reset_status` asks for. @throws ApiError 400 */
export function statusIn(body: unknown, kind: keyof typeof resetWords): VolumeGroup["status"] {
  const asked = parseBody(resetBody, body).reset_status.status;
  const found = groupStatuses.find((one) => one === asked.toLowerCase());
  if (found !== undefined) return found;
  const [refused, what, last] = resetWords[kind];
  const valid = [...groupStatuses.slice(0, -1), ...last].map((one) => `'${one}'`).join(", ");
  throw cinder.badRequest(`${refused}: ${kind} status: ${asked} is invalid, ${what} are: (${valid}).`);
}

/** `/groups`: list, show, create, also of a source, change, delete, reset. */
export function groupRoutes(app: FastifyInstance, context: VolumeContext): void {
  const { store, groups, volumes, groupLifecycle, base } = context;
  const summary = ({ id, name }: VolumeGroup) => ({ id, name });
  const detail = (group: VolumeGroup, { scope, microversion, query }: FastifyRequest) => {
    const { id, name, description, status } = group;
    const from = (first: number, fields: Record<string, unknown>) => (microversion >= first ? fields : {});
    const lists = parseBody(booleanLike, (query as { list_volume?: string }).list_volume ?? false);
    const members = () => volumes.list(({ groupId }) => groupId === id).map((volume) => volume.id);
    return {
      ...{ id, status, availability_zone: group.availabilityZone, created_at: isoMicrosNoZone(group.createdAt) },
      ...{ name, description, group_type: group.groupTypeId, volume_types: group.volumeTypeIds },
      ...from(14, { group_snapshot_id: group.groupSnapshotId, source_group_id: group.sourceGroupId }),
      ...(lists ? from(25, { volumes: members() }) : {}),
      ...from(38, { replication_status: "disabled" }),
      ...(isAdmin(scope) ? from(58, { project_id: group.projectId }) : {}),
    };
  };
  const list = (request: FastifyRequest, path: string, show: (group: VolumeGroup) => unknown) => {
    since(request, minor);
    const { list_volume: _shown, ...query } = request.query as Record<string, string>;
    const page = pageOf(
      {
        records: groups.list(),
        fields: (group) => detail(group, request),
        filters: ["name"],
        projectOf: ({ projectId }) => projectId,
        missing: cinder.groupNotFound,
      },
      { query, scope: request.scope, microversion: request.microversion },
    );
    return pageView(page, { name: "groups", path, show }, viewerAt(base)(request));
  };

  app.get("/groups", (request) => list(request, "/groups", summary));
  app.get("/groups/detail", (request) => list(request, "/groups/detail", (group) => detail(group, request)));
  app.get<One>("/groups/:id", (request) => {
    since(request, minor);
    return { group: detail(ownGroup(context, request.scope, request.params.id), request) };
  });
  app.post("/groups", (request, reply) => {
    since(request, minor);
    const made = store.transaction(() => createGroup(context, request.scope, request.body));
    return reply.code(202).send({ group: summary(made) });
  });
  app.put<One>("/groups/:id", (request, reply) => {
    since(request, minor);
    const asked = parseBody(updateBody, request.body).group;
    store.transaction(() => updateGroup(context, ownGroup(context, request.scope, request.params.id), asked));
    return sendUntyped(reply, 202);
  });

  app.post("/groups/action", (request, reply) => {
    since(request, 14);
    const { scope, body } = request;
    const [name] = Object.keys((body as object | null | undefined) ?? {});
    if (name !== "create-from-src") throw cinder.noSuchAction(name);
    const made = store.transaction(() => copyGroup(context, scope, body));
    groupLifecycle.create(made.id);
    return reply.code(202).send({ group: summary(made) });
  });
  app.post<One>("/groups/:id/action", (request, reply) => {
    since(request, minor);
    const { scope, params, body } = request;
    const [name] = Object.keys((body as object | null | undefined) ?? {});
    if (name === "delete") {
      const withVolumes = parseBody(deleteBody, body).delete["delete-volumes"] ?? false;
      store.transaction(() => deleteGroup(context, ownGroup(context, scope, params.id), withVolumes));
      groupLifecycle.delete(params.id);
      return sendUntyped(reply, 202);
    }
    if (name === "reset_status" && request.microversion >= 20) {
      const status = statusIn(body, "Group");
      store.transaction(() => {
        const group = ownGroup(context, scope, params.id);
        demandAdmin(scope, "group:reset_status");
        groups.put(changed(group, { status }));
      });
      return sendUntyped(reply, 202);
    }
    const schema = request.microversion >= 38 ? replicationBodies[name ?? ""] : undefined;
    if (schema === undefined) throw cinder.noSuchAction(name);
    parseBody(schema, body);
    throw cinder.invalidGroupType(`Group ${ownGroup(context, scope, params.id).id} is not a replication group type.`);
  });
}
