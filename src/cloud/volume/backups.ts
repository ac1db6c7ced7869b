import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { parseBody } from "../http/body.ts";
import { metadataSchema } from "../http/metadata-routes.ts";
import { owns, type Scope } from "../identity/scope.ts";
import { createBackup, text } from "./backup-create.ts";
import type { Backup } from "./backup-records.ts";
import { backupSummary, backupView } from "./backup-view.ts";
import { demandAdmin, ownVolume, type VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import { pageOf } from "./listing.ts";
import { changed } from "./records.ts";
import { pageView, viewerAt } from "./view.ts";
import { createVolume } from "./volume-create.ts";

interface One {
  Params: { id: string };
}

const restoreBody = z.strictObject({
  restore: z.strictObject({ name: text, volume_id: z.guid().nullable().optional() }).nullable(),
});
const updateBody = (microversion: number) =>
  z.strictObject({
    backup: z
      .strictObject({
        name: text,
        description: text,
        ...(microversion >= 43 ? { metadata: metadataSchema.optional() } : {}),
      })
      .nullable(),
  });
const statusBody = z.strictObject({ "os-reset_status": z.strictObject({ status: z.string() }) });

/** Cinder's words for a backup that has become something else while its request waited. */
const notAvailable = () => cinder.invalidBackup("Backup status must be available");

/** `/backups`: list, create, show, restore, update, delete, actions. */
export function backupRoutes(app: FastifyInstance, context: VolumeContext): void {
  const { store, backups, volumes, backupLifecycle, base } = context;
  const viewer = viewerAt(base);
  const own = (scope: Scope, id: string): Backup => {
    const backup = backups.get(id);
    if (backup === undefined || !owns(scope, backup.projectId)) throw cinder.backupNotFound(id);
    return backup;
  };
  const list = (request: FastifyRequest, path: string, show: (backup: Backup) => unknown) => {
    const page = pageOf(
      {
        records: backups.list(),
        fields: (backup) => backupView(backup, [], viewer(request)),
        filters: ["name", "status", "volume_id"],
        projectOf: ({ projectId }) => projectId,
        missing: cinder.backupNotFound,
      },
      request,
    );
    return pageView(page, { name: "backups", path, show }, viewer(request));
  };
  app.get("/backups", (request) => list(request, "/backups", (backup) => backupSummary(backup, viewer(request))));
  app.get("/backups/detail", (request) => {
    const all = backups.list();
    return list(request, "/backups/detail", (backup) => backupView(backup, all, viewer(request)));
  });
  app.get<One>("/backups/:id", (request) => ({
    backup: backupView(own(request.scope, request.params.id), backups.list(), viewer(request)),
  }));

  app.post("/backups", (request, reply) => {
    const { scope, body, microversion } = request;
    const made = store.transaction(() => createBackup(context, scope, body, microversion));
    backupLifecycle.create(made.id);
    return reply.code(202).send({ backup: backupSummary(made, viewer(request)) });
  });

  app.post<One>("/backups/:id/restore", async (request, reply) => {
    const { scope, params } = request;
    const asked = parseBody(restoreBody, request.body).restore ?? {};
    const found = own(scope, params.id);
    if (found.status !== "available") throw notAvailable();
    const volumeId = asked.volume_id ?? (await newVolume(context, scope, found, asked.name ?? undefined));
    const volume = store.transaction(() => {
      const backup = own(scope, params.id);
      if (backup.status !== "available") throw notAvailable();
      const target = ownVolume(volumes, scope, volumeId);
      if (target.status !== "available") throw cinder.invalidVolume("Volume to be restored to must be available");
      if (backup.size > target.size) {
        throw cinder.invalidVolume(`volume size ${target.size} is too small to restore backup of size ${backup.size}.`);
      }
      backups.put(changed(backup, { status: "restoring", restoreTo: target.id }));
      return volumes.put(changed(target, { status: "restoring-backup" }));
    });
    backupLifecycle.restore(params.id);
    return reply.code(202).send({ restore: { backup_id: params.id, volume_id: volume.id, volume_name: volume.name } });
  });

  app.put<One>("/backups/:id", (request) => {
    const { scope, params, microversion } = request;
    if (microversion < 9) throw cinder.noSuchPath();
    const change = parseBody(updateBody(microversion), request.body).backup ?? {};
    const { name, description, metadata } = change as { [key in keyof typeof change]: (typeof change)[key] } & {
      metadata?: Record<string, string>;
    };
    const backup = store.transaction(() =>
      backups.put(
        changed(own(scope, params.id), {
          ...(name === undefined ? {} : { name }),
          ...(description === undefined ? {} : { description }),
          ...(metadata === undefined ? {} : { metadata }),
        }),
      ),
    );
    return { backup: backupSummary(backup, viewer(request)) };
  });

  /** Inside a transaction. @throws ApiError 400 for one that is busy, or that others add to */
  const beginDelete = (backup: Backup, force: boolean) => {
    if (!force && backup.status !== "available" && backup.status !== "error") {
      throw cinder.invalidBackup("Backup status must be available or error");
    }
    if (backups.find(({ parentId }) => parentId === backup.id) !== undefined) {
      throw cinder.invalidBackup("Incremental backups exist for this backup.");
    }
    backups.put(changed(backup, { status: "deleting" }));
  };
  app.delete<One>("/backups/:id", ({ scope, params }, reply) => {
    store.transaction(() => beginDelete(own(scope, params.id), false));
    backupLifecycle.delete(params.id);
    return reply.code(202).send();
  });

  app.post<One>("/backups/:id/action", ({ scope, params, body }, reply) => {
    const [name] = Object.keys((body as object | null | undefined) ?? {});
    if (name === "os-force_delete") {
      store.transaction(() => {
        const backup = own(scope, params.id);
        demandAdmin(scope, "volume_extension:backup_admin_actions:force_delete");
        beginDelete(backup, true);
      });
      backupLifecycle.delete(params.id);
      return reply.code(202).send();
    }
    if (name !== "os-reset_status") {
      throw cinder.noSuchAction(name);
    }
    const asked = parseBody(statusBody, body)["os-reset_status"].status.toLowerCase();
    if (asked !== "available" && asked !== "error") {
      throw cinder.badRequest(`Backup status: ${asked} is invalid, valid statuses are: ['available', 'error'].`);
    }
    store.transaction(() => {
      const backup = own(scope, params.id);
      demandAdmin(scope, "volume_extension:backup_admin_actions:reset_status");
      backups.put(changed(backup, { status: asked }));
    });
    return reply.code(202).send();
  });

  app.get<One>("/backups/:id/export_record", ({ scope, params }) => {
    own(scope, params.id);
    demandAdmin(scope, "backup:export-import");
    throw cinder.notDone("keeps its backups for itself: their records are not exported");
  });
  app.post("/backups/import_record", ({ scope }) => {
    demandAdmin(scope, "backup:backup-import");
    throw cinder.notDone("takes no backups from elsewhere: records are not imported");
  });
}

/** A volume to restore to, made and ready: the answer waits for it, as Cinder's does. @throws ApiError 400, 413 */
async function newVolume(
  context: VolumeContext,
  scope: Scope,
  { id, size }: Backup,
  name = `restore_backup_${id}`,
): Promise<string> {
  const volume = { size, name, description: "auto-created_from_restore_from_backup" };
  const made = context.store.transaction(() => createVolume(context, scope, { volume }, 0));
  await context.lifecycle.create(made.id);
  if (context.volumes.get(made.id)?.status === "error") {
    throw cinder.invalidVolume(`Error while creating volume ${made.id} for restoring backup ${id}.`);
  }
  return made.id;
}
