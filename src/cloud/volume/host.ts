import type { FastifyInstance, FastifyRequest } from "fastify";
import { now } from "../clock/clock.ts";
import { ApiError } from "../http/api-error.ts";
import { booleanLike, parseBody } from "../http/body.ts";
import { isoMicrosNoZone } from "../http/time.ts";
import { demandAdmin, type VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import { extensionViews } from "./extensions.ts";
import { backend, capabilities } from "./placement.ts";

/** What Cinder tells administrators of where the volumes are: services, pools, capabilities; and zones and extensions, to everybody. */
export function hostRoutes(app: FastifyInstance, { volumes, freeGigabytes }: VolumeContext): void {
  app.get("/extensions", () => ({ extensions: extensionViews }));
  app.get<{ Params: { alias: string } }>("/extensions/:alias", ({ params }) => {
    const extension = extensionViews.find(({ alias }) => alias === params.alias);
    if (extension === undefined) throw new ApiError(404, "The resource could not be found.");
    return { extension };
  });

  app.get("/os-availability-zone", () => ({
    availabilityZoneInfo: [{ zoneName: "nova", zoneState: { available: true } }],
  }));

  const startedAt = isoMicrosNoZone(new Date(now()).toISOString());
  app.get("/os-services", (request) => {
    const { scope, query, microversion } = request as FastifyRequest<{ Querystring: Record<string, string> }>;
    demandAdmin(scope, "volume_extension:services:index");
    const services = [
      { binary: "cinder-volume", host: backend.host },
      { binary: "cinder-scheduler", host: "slipway" },
      { binary: "cinder-backup", host: "slipway" },
    ];
    return {
      services: services
        .filter(({ binary, host }) => (query.binary ?? binary) === binary && (query.host ?? host) === host)
        .map((service) => ({
          ...service,
          ...{ zone: "nova", status: "enabled", state: "up", updated_at: startedAt },
          ...(microversion >= 49 && service.binary === "cinder-volume" ? { backend_state: "up" } : {}),
          ...(microversion >= 7 ? { cluster: null } : {}),
          disabled_reason: null,
          ...(service.binary === "cinder-volume"
            ? { replication_status: "disabled", active_backend_id: null, frozen: false }
            : {}),
        })),
    };
  });
  app.put("/os-services/:action", ({ scope }) => {
    demandAdmin(scope, "volume_extension:services:update");
    throw cinder.notDone("has one volume service, which stays as it is");
  });

  app.get<{ Querystring: { detail?: string } }>("/scheduler-stats/get_pools", async ({ scope, query }) => {
    demandAdmin(scope, "scheduler_extension:scheduler_stats:get_pools");
    const name = { name: backend.place };
    if (!parseBody(booleanLike, query.detail ?? false)) return { pools: [name] };
    const { total, free } = await freeGigabytes();
    const own = volumes.list();
    const typed = Object.entries(capabilities).map(([key, value]) => [
      key,
      value === "True" ? true : value === "False" ? false : value,
    ]);
    return {
      pools: [
        {
          ...name,
          capabilities: {
            ...Object.fromEntries(typed),
            pool_name: "files",
            driver_version: "1",
            timestamp: new Date(now()).toISOString().slice(0, -1),
            total_capacity_gb: total,
            free_capacity_gb: free,
            allocated_capacity_gb: own.reduce((sum, { size }) => sum + size, 0),
            provisioned_capacity_gb: own.reduce((sum, { size }) => sum + size, 0),
            total_volumes: own.length,
            reserved_percentage: 0,
            max_over_subscription_ratio: "20.0",
            location_info: null,
            backend_state: "up",
            online_extend_support: true,
            filter_function: null,
            goodness_function: null,
          },
        },
      ],
    };
  });

  app.get<{ Params: { host: string } }>("/capabilities/:host", ({ scope, params }) => {
    demandAdmin(scope, "volume_extension:capabilities");
    if (params.host !== backend.host) throw cinder.serviceNotFound(params.host);
    return {
      namespace: `OS::Storage::Capabilities::${backend.host}`,
      ...{ vendor_name: "Slipway", volume_backend_name: backend.name, pool_name: null, driver_version: "1" },
      ...{ storage_protocol: "file", display_name: null, description: null, visibility: null },
      ...{ replication_targets: [], properties: {} },
    };
  });
}
