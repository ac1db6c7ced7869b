import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import type { Scope } from "../identity/scope.ts";
import { ownSnapshot, ownVolume, type VolumeContext } from "../volume/context.ts";
import type { Snapshot, Volume } from "../volume/records.ts";
import { createSnapshot, deleteSnapshot } from "../volume/snapshots.ts";
import { snapshotView, volumeView } from "../volume/view.ts";
import { createVolume } from "../volume/volume-create.ts";
import { deleteVolume } from "../volume/volume-delete.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { untilMicroversion } from "./microversion.ts";
import { pageOf, type Query } from "./paging.ts";
import { translated } from "./translated.ts";

interface One {
  Params: { id: string };
}
type Listed = { Querystring: Query };

/** The microversion in which Nova talks to Cinder here. */
const cindersMinor = 0;

const text = z.string();
const volumeBody = z.strictObject({
  volume: z.strictObject({
    ...{ volume_type: text.optional(), metadata: z.record(text, z.unknown()).optional(), snapshot_id: text.optional() },
    ...{ availability_zone: text.optional(), display_name: text.optional(), display_description: text.optional() },
    size: z.union([z.int().min(1), text.regex(/^[0-9]+$/)]),
  }),
});
const truth = [true, "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes"];
const falsehood = [false, "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no"];
const snapshotBody = z.strictObject({
  snapshot: z.strictObject({
    ...{ volume_id: text, display_name: text.optional(), display_description: text.optional() },
    force: z.union([z.boolean(), z.enum([...truth, ...falsehood].map(String))]).optional(),
  }),
});

/** What Nova says where Cinder refuses. */
const refusals = (resource: string) => ({
  400: (message: string) => nova.badRequest(`Invalid input received: ${message}`),
  413: () => new ApiError(403, `Quota exceeded for resources: ${resource}`),
});

/** Nova's own ways to Cinder, gone since 2.36: volumes and their snapshots. */
export function proxiedVolumeRoutes(app: FastifyInstance, { cinder, store, base }: ComputeContext): void {
  const viewer = (scope: Scope) => ({ base: base(), microversion: cindersMinor, scope });
  const mine = <T extends { projectId: string }>({ scope, query }: FastifyRequest<Listed>, records: T[]): T[] =>
    pageOf(
      records.toReversed().filter(({ projectId }) => projectId === scope.project?.id),
      query,
    );

  const volume = (scope: Scope, record: Volume) => volumeOf(volumeView(record, cinder.types, viewer(scope)));
  for (const path of ["/os-volumes", "/os-volumes/detail"]) {
    app.get<Listed>(path, (request) => {
      untilMicroversion(request, 35);
      return { volumes: mine(request, cinder.volumes.list()).map((each) => volume(request.scope, each)) };
    });
  }
  app.get<One>("/os-volumes/:id", (request) => {
    untilMicroversion(request, 35);
    return { volume: volume(request.scope, ownVolume(cinder.volumes, request.scope, request.params.id)) };
  });
  app.post("/os-volumes", (request, reply) => {
    untilMicroversion(request, 35);
    const { volume: asked } = parseSchema(volumeBody, request.body ?? null);
    const { display_name: name, display_description: description, metadata, ...rest } = asked;
    const body = { volume: { ...rest, name, description, ...(metadata === undefined ? {} : { metadata }) } };
    const made = translated(refusals("volumes"), () =>
      store.transaction(() => createVolume(cinder, request.scope, body, cindersMinor)),
    );
    void cinder.lifecycle.create(made.id);
    return reply
      .header("location", `${base()}/compute/v2.1/os-volumes/${made.id}`)
      .send({ volume: volume(request.scope, made) });
  });
  app.delete<One>("/os-volumes/:id", (request, reply) => {
    untilMicroversion(request, 35);
    const { scope, params } = request;
    const after = translated(refusals("volumes"), () =>
      store.transaction(() =>
        deleteVolume(cinder, ownVolume(cinder.volumes, scope, params.id), { force: false, cascade: false }),
      ),
    );
    after();
    return reply.code(202).send();
  });
  snapshotRoutes(app, { cinder, mine, viewer });
}

function snapshotRoutes(
  app: FastifyInstance,
  {
    cinder,
    mine,
    viewer,
  }: {
    cinder: VolumeContext;
    mine: (request: FastifyRequest<Listed>, records: Snapshot[]) => Snapshot[];
    viewer: (scope: Scope) => Parameters<typeof snapshotView>[1];
  },
): void {
  const view = (scope: Scope, record: Snapshot) => snapshotOf(snapshotView(record, viewer(scope), "full"));
  for (const path of ["/os-snapshots", "/os-snapshots/detail"]) {
    app.get<Listed>(path, (request) => {
      untilMicroversion(request, 35);
      return { snapshots: mine(request, cinder.snapshots.list()).map((each) => view(request.scope, each)) };
    });
  }
  app.get<One>("/os-snapshots/:id", (request) => {
    untilMicroversion(request, 35);
    return { snapshot: view(request.scope, ownSnapshot(cinder.snapshots, request.scope, request.params.id)) };
  });
  app.post("/os-snapshots", (request) => {
    untilMicroversion(request, 35);
    const { snapshot: asked } = parseSchema(snapshotBody, request.body ?? null);
    const { volume_id, display_name: name, display_description: description, force = false } = asked;
    const body = { snapshot: { volume_id, name, description, force: truth.includes(force) } };
    const made = translated(refusals("snapshots"), () =>
      cinder.store.transaction(() => createSnapshot(cinder, request.scope, body, cindersMinor)),
    );
    void cinder.lifecycle.createSnapshots([made.id]);
    return { snapshot: view(request.scope, made) };
  });
  app.delete<One>("/os-snapshots/:id", (request, reply) => {
    untilMicroversion(request, 35);
    translated(refusals("snapshots"), () => deleteSnapshot(cinder, request.scope, request.params.id));
    return reply.code(202).send();
  });
}

type View = Record<string, unknown>;

/** A volume of Cinder's in the words of Nova's own volumes. */
function volumeOf(view: View): View {
  const { id, status, size, name, description, metadata } = view;
  const [attachment] = view.attachments as { server_id: string | null; device: string | null }[];
  return {
    ...{ id, status, size, availabilityZone: view.availability_zone, createdAt: view.created_at },
    attachments: [
      attachment === undefined
        ? {}
        : {
            ...{ id, volumeId: id, serverId: attachment.server_id },
            ...(attachment.device ? { device: attachment.device } : {}),
          },
    ],
    ...{ displayName: name, displayDescription: description },
    ...{ volumeType: view.volume_type, snapshotId: view.snapshot_id, metadata },
  };
}

const snapshotOf = ({ id, volume_id, status, size, created_at, name, description }: View): View => ({
  ...{ id, volumeId: volume_id, status, size, createdAt: created_at },
  ...{ displayName: name, displayDescription: description },
});
