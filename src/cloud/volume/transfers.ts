import { createHmac, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { booleanLike, parseBody } from "../http/body.ts";
import { isoMicrosNoZone, isoSeconds } from "../http/time.ts";
import { sendUntyped } from "../http/untyped.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import { ownVolume, type VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import { pageOf } from "./listing.ts";
import { demandQuota, demandVolumeSize } from "./quotas.ts";
import { changed, type Snapshot, type Volume } from "./records.ts";
import type { Transfer } from "./transfer-records.ts";
import { linksOf, pageView, viewerAt } from "./view.ts";

const createBody = (microversion: number) =>
  z.strictObject({
    transfer: z.strictObject({
      volume_id: z.guid(),
      name: z.string().max(255).nullable().optional(),
      no_snapshots: microversion >= 55 ? booleanLike.optional() : z.undefined().optional(),
    }),
  });
const acceptBody = z.strictObject({
  accept: z.strictObject({ auth_key: z.union([z.string(), z.number()]).transform(String) }),
});

interface One {
  Params: { id: string };
}

/** `/os-volume-transfer`, and the same as `/volume-transfers`: a volume handed to another project that knows the key. */
export function transferRoutes(app: FastifyInstance, context: VolumeContext): void {
  for (const path of ["/os-volume-transfer", "/volume-transfers"]) transfersBelow(app, context, path);
}

function transfersBelow(app: FastifyInstance, context: VolumeContext, path: string): void {
  const { store, transfers, volumes, base } = context;
  const viewer = viewerAt(base);
  const summary = (transfer: Transfer, request: FastifyRequest) => ({
    id: transfer.id,
    volume_id: transfer.volumeId,
    name: transfer.name,
    links: linksOf(`/os-volume-transfer/${transfer.id}`, viewer(request)),
  });
  const detail = (transfer: Transfer, request: FastifyRequest) => ({
    ...summary(transfer, request),
    created_at: isoMicrosNoZone(transfer.createdAt),
    ...(request.microversion >= 55 ? { no_snapshots: transfer.noSnapshots } : {}),
    ...(request.microversion >= 57
      ? { destination_project_id: null, source_project_id: transfer.projectId, accepted: false }
      : {}),
  });
  const own = (scope: Scope, id: string): Transfer => {
    const transfer = transfers.get(id);
    if (transfer === undefined || !owns(scope, transfer.projectId)) throw cinder.transferNotFound(id);
    return transfer;
  };
  const list = (request: FastifyRequest, below: string, show: typeof summary) => {
    const page = pageOf(
      {
        records: transfers.list(),
        fields: (transfer) => ({ ...detail(transfer, request), created_at: transfer.createdAt }),
        filters: ["name", "volume_id", "id"],
        projectOf: ({ projectId }) => projectId,
        missing: cinder.transferNotFound,
      },
      request,
    );
    const items = request.microversion >= 59 ? page : { ...page, items: page.items.toReversed() };
    return pageView(
      items,
      { name: "transfers", path: `${path}${below}`, show: (one) => show(one, request) },
      viewer(request),
    );
  };

  app.get(path, (request) => list(request, "", summary));
  app.get(`${path}/detail`, (request) => list(request, "/detail", detail));
  app.get<One>(`${path}/:id`, (request) => {
    return { transfer: detail(own(request.scope, request.params.id), request) };
  });

  app.post(path, (request, reply) => {
    const { transfer: asked } = parseBody(createBody(request.microversion), request.body);
    const key = randomBytes(8).toString("hex");
    const transfer = store.transaction(() => {
      const volume = ownVolume(volumes, request.scope, asked.volume_id);
      const noSnapshots = asked.no_snapshots === true;
      demandTransferable(context, volume, noSnapshots);
      volumes.put(changed(volume, { status: "awaiting-transfer" }));
      const salt = randomBytes(4).toString("hex");
      return transfers.put({
        ...{ id: randomUUID(), projectId: volume.projectId, volumeId: volume.id, name: asked.name?.trim() ?? null },
        ...{ salt, keyHash: hashOf(salt, key), noSnapshots, createdAt: isoSeconds() },
      });
    });
    return reply.code(202).send({ transfer: { ...detail(transfer, request), auth_key: key } });
  });

  app.post<One>(`${path}/:id/accept`, (request, reply) => {
    const { auth_key: key } = parseBody(acceptBody, request.body).accept;
    const transfer = store.transaction(() => accept(context, request.scope, request.params.id, key));
    return reply.code(202).send({ transfer: summary(transfer, request) });
  });

  app.delete<One>(`${path}/:id`, (request, reply) => {
    store.transaction(() => {
      const { id, volumeId } = own(request.scope, request.params.id);
      const volume = volumes.get(volumeId);
      if (volume?.status === "awaiting-transfer") volumes.put(changed(volume, { status: "available" }));
      transfers.delete(id);
    });
    return sendUntyped(reply, 202);
  });
}

const hashOf = (salt: string, key: string): string => createHmac("sha1", salt).update(key).digest("hex");

/** @throws ApiError 400 */
function demandTransferable({ snapshots }: VolumeContext, volume: Volume, noSnapshots: boolean): void {
  if (volume.status !== "available") throw cinder.invalidVolume("status must be available");
  const moved = noSnapshots ? [] : snapshots.list(({ volumeId }) => volumeId === volume.id);
  const busy = moved.find(({ status }) => status !== "available");
  if (busy !== undefined) throw cinder.invalidSnapshot(`snapshot: ${busy.id} status must be available`);
  demandUngrouped(volume, moved);
}

/**
 * Who deletes a group, or a snapshot of one, deletes what is in it, whosever that is. Cinder refuses only what is in a consistency group, in such
 * words and when the transfer is accepted; what is in a group it hands over.
 * @throws ApiError 400
 */
function demandUngrouped(volume: Volume, moved: Snapshot[]): void {
  if (volume.groupId !== undefined) {
    throw cinder.invalidVolume(`Volume ${volume.id} must not be part of a group.`);
  }
  const grouped = moved.find(({ groupSnapshotId }) => groupSnapshotId !== undefined);
  if (grouped === undefined) return;
  throw cinder.invalidSnapshot(`Snapshot ${grouped.id} must not be part of a group snapshot.`);
}

/** The volume, and its snapshots unless they stay, become the project's that asks. @throws ApiError 400, 404, 413 */
function accept(context: VolumeContext, scope: Scope, id: string, key: string): Transfer {
  const { transfers, volumes, snapshots } = context;
  const transfer = transfers.get(id);
  const volume = volumes.get(transfer?.volumeId ?? "");
  if (transfer === undefined || volume === undefined) throw cinder.transferNotFound(id);
  if (!timingSafeEqual(Buffer.from(hashOf(transfer.salt, key)), Buffer.from(transfer.keyHash))) {
    throw cinder.badRequest(`Invalid auth key: Attempt to transfer ${id} with invalid auth key.`);
  }
  const projectId = projectOf(scope).id;
  const moved = transfer.noSnapshots ? [] : snapshots.list(({ volumeId }) => volumeId === volume.id);
  demandUngrouped(volume, moved);
  const ofType = volume.typeId === undefined ? {} : { typeId: volume.typeId };
  demandVolumeSize(context, projectId, volume.size);
  demandQuota(context, projectId, { volumes: 1, gigabytes: volume.size, ...ofType });
  volumes.put(changed(volume, { status: "available", projectId, userId: scope.userId }));
  if (moved.length > 0) {
    const gigabytes = moved.reduce((sum, { size }) => sum + size, 0);
    demandQuota(context, projectId, { snapshots: moved.length, gigabytes, ...ofType });
  }
  demandStates(id, volume, moved);
  for (const snapshot of moved) snapshots.put({ ...snapshot, projectId, userId: scope.userId });
  transfers.delete(id);
  return transfer;
}

/** Administrators may have set other states since the transfer was made. @throws ApiError 400 */
function demandStates(transferId: string, volume: Volume, moved: Snapshot[]): void {
  if (volume.status === "maintenance") {
    throw cinder.invalidVolume("The volume cannot accept transfer in maintenance mode.");
  }
  if (volume.status !== "awaiting-transfer") {
    throw cinder.invalidVolume(`Transfer ${transferId}: Volume id ${volume.id} expected in awaiting-transfer state.`);
  }
  const busy = moved.find(({ status }) => status !== "available");
  if (busy === undefined) return;
  throw cinder.invalidSnapshot(`Transfer ${transferId}: Snapshot ${busy.id} is not in the expected available state.`);
}
