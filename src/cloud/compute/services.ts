import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import { isoMicrosNoZone, isoSeconds } from "../http/time.ts";
import type { Store } from "../store/store.ts";
import { demandAdmin } from "./action.ts";
import { hostZone } from "./aggregate-records.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { host } from "./host.ts";
import { firstOf, type Query } from "./paging.ts";
import { boolean, hostReference } from "./schema-types.ts";
import { type ServiceState, serviceState, serviceTable } from "./service-state.ts";

const reason = z.string().min(1).max(255).optional();
const namedBody = (microversion: number) =>
  z.strictObject({
    host: hostReference,
    binary: z.string().min(1).max(255),
    disabled_reason: reason,
    forced_down: microversion >= 11 ? boolean.optional() : z.undefined().optional(),
  });
const stateBody = z.strictObject({
  status: z.enum(["enabled", "disabled"]).optional(),
  disabled_reason: reason,
  forced_down: boolean.optional(),
});

/** What a Nova of one machine consists of. */
const services = [
  { binary: "nova-scheduler", number: 2, uuid: "51a9a7b0-0000-5000-8000-000000000002" },
  { binary: "nova-conductor", number: 3, uuid: "51a9a7b0-0000-5000-8000-000000000003" },
  { binary: "nova-compute", number: host.number, uuid: host.serviceUuid },
] as const;

/** `/os-services`, for administrators. A disabled host takes no new servers. */
export function serviceRoutes(app: FastifyInstance, { store, servers }: ComputeContext): void {
  const policy = (action: string) => `os_compute_api:os-services:${action}`;
  const keep = (change: Partial<ServiceState>) => serviceTable(store).put({ ...serviceState(store), ...change });
  const view = (service: (typeof services)[number], microversion: number) => serviceView(store, service, microversion);

  app.get<{ Querystring: Query }>("/os-services", ({ scope, query, microversion }) => {
    demandAdmin(scope, policy("list"));
    const [wantedHost, binary] = [firstOf(query.host), firstOf(query.binary)];
    const listed = services
      .filter((service) => !binary || service.binary === binary)
      .filter(() => !wantedHost || wantedHost === host.name);
    return { services: listed.map((service) => view(service, microversion)) };
  });

  app.put<{ Params: { id: string } }>("/os-services/:id", ({ scope, params, body, microversion }) => {
    if (microversion < 53) {
      const asked = parseSchema(namedBody(microversion), body ?? null);
      demandAdmin(scope, policy("update"));
      return { service: changeNamed(params.id, asked, microversion) };
    }
    const asked = parseSchema(stateBody, body ?? null);
    demandUuid(params.id);
    demandAdmin(scope, policy("update"));
    const service = services.find(({ uuid }) => uuid === params.id);
    if (service === undefined) throw new ApiError(404, `Service ${params.id} could not be found.`);
    demandCompute(service.binary);
    if (asked.status === "enabled" && asked.disabled_reason !== undefined) {
      throw nova.badRequest("Specifying 'disabled_reason' with status 'enabled' is invalid.");
    }
    if (asked.status === undefined && asked.forced_down === undefined) {
      throw nova.badRequest("No updates were requested. Fields 'status' or 'forced_down' should be specified.");
    }
    if (asked.status !== undefined) {
      keep({ disabled: asked.status === "disabled", reason: asked.disabled_reason ?? null });
    }
    if (asked.forced_down !== undefined) keep({ forcedDown: asked.forced_down });
    return { service: view(service, microversion) };
  });

  app.delete<{ Params: { id: string } }>("/os-services/:id", ({ scope, params, microversion }) => {
    demandAdmin(scope, policy("delete"));
    if (microversion >= 53) demandUuid(params.id);
    const service = services.find(({ uuid, number }) => params.id === (microversion >= 53 ? uuid : String(number)));
    if (service === undefined) throw new ApiError(404, `Service ${params.id} not found.`);
    if (service.binary === "nova-compute" && servers.list().length > 0) {
      throw new ApiError(
        409,
        "Unable to delete compute service that is hosting instances. Migrate or delete the instances first.",
      );
    }
    throw new ApiError(501, "This cloud is its services: none of them can be taken away.");
  });

  function changeNamed(action: string, asked: z.infer<ReturnType<typeof namedBody>>, microversion: number) {
    const named = { host: asked.host, binary: asked.binary };
    const demandThere = () => {
      demandCompute(asked.binary);
      if (asked.host !== host.name) throw new ApiError(404, `Host '${asked.host}' is not mapped to any cell`);
    };
    switch (action) {
      case "enable":
        demandThere();
        keep({ disabled: false, reason: null });
        return { ...named, status: "enabled" };
      case "disable":
        demandThere();
        keep({ disabled: true, reason: null });
        return { ...named, status: "disabled" };
      case "disable-log-reason":
        if (asked.disabled_reason === undefined) throw nova.badRequest("Missing disabled reason field");
        demandThere();
        keep({ disabled: true, reason: asked.disabled_reason });
        return { ...named, status: "disabled", disabled_reason: asked.disabled_reason };
      case "force-down":
        if (microversion < 11) break;
        if (asked.forced_down === undefined) throw nova.badRequest("Missing forced_down field");
        demandThere();
        keep({ forcedDown: asked.forced_down });
        return { ...named, forced_down: asked.forced_down };
    }
    throw new ApiError(404, "Unknown action");
  }
}

function demandUuid(id: string): void {
  if (!/^[0-9a-f-]{36}$/i.test(id)) throw nova.badRequest(`Invalid uuid ${id}`);
}

function demandCompute(binary: string): void {
  if (binary !== "nova-compute") {
    throw nova.badRequest(`Updating a ${binary} service is not supported. Only nova-compute services can be updated.`);
  }
}

function serviceView(store: Store, service: (typeof services)[number], microversion: number): Record<string, unknown> {
  const isCompute = service.binary === "nova-compute";
  const { disabled, reason: why, forcedDown } = isCompute ? serviceState(store) : running;
  return {
    binary: service.binary,
    host: host.name,
    id: microversion >= 53 ? service.uuid : service.number,
    zone: isCompute ? hostZone(store) : "internal",
    status: disabled ? "disabled" : "enabled",
    state: forcedDown ? "down" : "up",
    updated_at: isoMicrosNoZone(isoSeconds()),
    disabled_reason: why,
    ...(microversion >= 11 ? { forced_down: forcedDown } : {}),
  };
}

const running = { disabled: false, reason: null, forcedDown: false };

/** `/os-availability-zone` */
export function zoneRoutes(app: FastifyInstance, { store }: ComputeContext): void {
  app.get("/os-availability-zone", () => {
    const { disabled } = serviceState(store);
    return { availabilityZoneInfo: [{ zoneName: hostZone(store), zoneState: { available: !disabled }, hosts: null }] };
  });
  app.get("/os-availability-zone/detail", ({ scope }) => {
    demandAdmin(scope, "os_compute_api:os-availability-zone:detail");
    const { disabled } = serviceState(store);
    const state = { available: true, active: true, updated_at: isoMicrosNoZone(isoSeconds()) };
    const internal = Object.fromEntries(
      services.filter(({ binary }) => binary !== "nova-compute").map(({ binary }) => [binary, state]),
    );
    return {
      availabilityZoneInfo: [
        { zoneName: "internal", zoneState: { available: true }, hosts: { [host.name]: internal } },
        {
          zoneName: hostZone(store),
          zoneState: { available: !disabled },
          hosts: disabled ? null : { [host.name]: { "nova-compute": state } },
        },
      ],
    };
  });
}
