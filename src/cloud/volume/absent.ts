import type { FastifyInstance } from "fastify";
import { demandAdmin } from "./context.ts";
import { cinder } from "./errors.ts";
import { volumeFilters } from "./volumes.ts";

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
export function absentRoutes(app: FastifyInstance): void {
  app.get<{ Querystring: { resource?: string } }>("/resource_filters", ({ query, microversion }) => {
    if (microversion < 33) throw cinder.noSuchPath();
    const { resource } = query;
    const filters = Object.entries(resourceFilters).filter(([name]) => resource === undefined || name === resource);
    return { resource_filters: filters.map(([name, names]) => ({ filters: names, resource: name })) };
  });

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
