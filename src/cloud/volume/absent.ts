import { randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { demandAdmin, ownVolume, type VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import { volumeFilters } from "./volumes.ts";

interface One {
  Params: { id: string };
}

/** Cinder's `resource_filters.json`. */
const resourceFilters: Record<string, string[]> = {
  volume: volumeFilters,
  backup: ["name", "status", "volume_id"],
  snapshot: ["name", "status", "volume_id", "metadata", "availability_zone", "consumes_quota"],
  group: ["name"],
  group_snapshot: ["name", "status", "group_id"],
  attachment: ["volume_id", "status", "instance_id", "attach_status"],
  message: ["resource_uuid", "resource_type", "event_id", "request_id", "message_level"],
  pool: ["name", "volume_type"],
  volume_type: ["is_public", "extra_specs"],
};

/** What clients ask for and this cloud has none of: each list is empty, and each wish refused as by a Cinder that lacks the service. */
export function absentRoutes(app: FastifyInstance, { volumes }: VolumeContext): void {
  app.get<{ Querystring: { resource?: string } }>("/resource_filters", ({ query, microversion }) => {
    if (microversion < 33) throw cinder.noSuchPath();
    const { resource } = query;
    const filters = Object.entries(resourceFilters).filter(([name]) => resource === undefined || name === resource);
    return { resource_filters: filters.map(([name, names]) => ({ filters: names, resource: name })) };
  });

  // no cinder-backup service runs
  for (const path of ["/backups", "/backups/detail"]) app.get(path, () => ({ backups: [] }));
  app.post("/backups", ({ scope, body }) => {
    const { volume_id: id } = (body as { backup?: { volume_id?: string } } | undefined)?.backup ?? {};
    if (id === undefined) {
      throw cinder.badRequest(
        `Invalid input for field/attribute backup. Value: ${JSON.stringify((body as Record<string, unknown> | undefined)?.backup ?? {})}. 'volume_id' is a required property`,
      );
    }
    ownVolume(volumes, scope, id);
    throw new ApiError(503, "Service cinder-backup could not be found.");
  });
  for (const path of ["", "/export_record"]) {
    app.get<One>(`/backups/:id${path}`, ({ params }) => {
      throw cinder.backupNotFound(params.id);
    });
  }
  for (const path of ["/restore", "/action"]) {
    app.post<One>(`/backups/:id${path}`, ({ params }) => {
      throw cinder.backupNotFound(params.id);
    });
  }
  app.route<One>({
    method: ["PUT", "DELETE"],
    url: "/backups/:id",
    handler: ({ params }) => {
      throw cinder.backupNotFound(params.id);
    },
  });

  groups(app);
  app.get("/clusters", ({ scope, microversion }) => {
    if (microversion < 7) throw cinder.noSuchPath();
    demandAdmin(scope, "clusters:get_all");
    return { clusters: [] };
  });
  for (const kind of ["volumes", "snapshots"]) {
    for (const path of ["", "/detail"]) {
      app.get(`/manageable_${kind}${path}`, ({ scope, microversion }) => {
        if (microversion < 8) throw cinder.noSuchPath();
        demandAdmin(scope, `${kind.slice(0, -1)}_extension:list_manageable`);
        return { [`manageable-${kind}`]: [] };
      });
    }
  }
}

/** There are no group types but the one that Cinder has for its older consistency groups, and that makes none. */
function groups(app: FastifyInstance): void {
  const since = ({ microversion }: FastifyRequest, minor: number) => {
    if (microversion < minor) throw cinder.noSuchPath();
  };
  const kinds = [
    { path: "group_types", minor: 11, missing: (id: string) => `Group type ${id} could not be found.` },
    { path: "groups", minor: 13, missing: (id: string) => `Group ${id} could not be found.` },
    { path: "group_snapshots", minor: 14, missing: (id: string) => `GroupSnapshot ${id} could not be found.` },
  ];
  for (const { path, minor, missing } of kinds) {
    for (const list of path === "group_types" ? [`/${path}`] : [`/${path}`, `/${path}/detail`]) {
      app.get(list, (request) => {
        since(request, minor);
        return { [path]: [] };
      });
    }
    app.get<One>(`/${path}/:id`, (request) => {
      since(request, minor);
      throw new ApiError(404, missing(request.params.id));
    });
  }
  app.post("/groups", (request) => {
    since(request, 13);
    const { group_type: type = randomUUID() } =
      (request.body as { group?: { group_type?: string } } | undefined)?.group ?? {};
    throw new ApiError(404, `Group type ${type} could not be found.`);
  });
}
