import { statfs } from "node:fs/promises";
import { cpus, loadavg, totalmem, uptime } from "node:os";
import type { FastifyInstance } from "fastify";
import { ApiError } from "../http/api-error.ts";
import type { Store } from "../store/store.ts";
import { demandAdmin } from "./action.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { host } from "./host.ts";
import { untilMicroversion } from "./microversion.ts";
import { firstOf, nextLinks, pageAfter, type Query } from "./paging.ts";
import { isPlaced } from "./server-status.ts";
import { instanceName } from "./server-view.ts";
import { serviceState } from "./service-state.ts";

const mib = 1024 ** 2;
const gib = 1024 ** 3;

type Context = Pick<ComputeContext, "store" | "servers" | "hypervisor" | "base">;

/** What the machine has, and what of it the servers were promised. */
interface Capacity {
  vcpus: number;
  vcpus_used: number;
  memory_mb: number;
  memory_mb_used: number;
  local_gb: number;
  local_gb_used: number;
  free_ram_mb: number;
  free_disk_gb: number;
  running_vms: number;
  current_workload: number;
  disk_available_least: number;
}

/** `/os-hypervisors`, for administrators: this machine. */
export function hypervisorRoutes(app: FastifyInstance, context: Context): void {
  const { store, servers } = context;
  const policy = (action: string) => `os_compute_api:os-hypervisors:${action}`;
  const missing = (id: string) => new ApiError(404, `Hypervisor with ID '${id}' could not be found.`);
  const demandKnown = (id: string, microversion: number) => {
    if (microversion >= 53 && !/^[0-9a-f-]{36}$/i.test(id)) throw nova.badRequest(`Invalid uuid ${id}`);
    if (id !== idAt(microversion)) throw missing(id);
  };
  const demandMatch = (pattern: string) => {
    if (!host.name.includes(pattern)) throw new ApiError(404, `No hypervisor matching '${pattern}' could be found.`);
  };
  const guests = (wanted: boolean) => {
    const placed = wanted ? servers.list(isPlaced) : [];
    return placed.length === 0
      ? {}
      : { servers: placed.map(({ id, number }) => ({ name: instanceName({ id, number }), uuid: id })) };
  };
  const list = (query: Query, microversion: number, view: Record<string, unknown>) => {
    if (microversion < 53) return { hypervisors: [view] };
    const pattern = firstOf(query.hypervisor_hostname_pattern);
    if (pattern !== undefined && (query.limit ?? query.marker) !== undefined) {
      throw nova.badRequest(
        "Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported.",
      );
    }
    if (pattern !== undefined) demandMatch(pattern);
    const with_servers = wantsServers(query);
    const servers = with_servers && microversion >= 75 ? { servers: [] } : {};
    const page = pageAfter([{ ...view, ...servers, ...guests(with_servers) }], query, () => host.uuid);
    const links = pattern === undefined ? nextLinks(listPath(context, view), query, page.length, host.uuid) : undefined;
    return { hypervisors: page, ...(links === undefined ? {} : { hypervisors_links: links }) };
  };

  app.get<Listed>("/os-hypervisors", ({ scope, query, microversion }) => {
    demandAdmin(scope, policy("list"));
    return list(query, microversion, shortView(store, microversion));
  });
  app.get<Listed>("/os-hypervisors/detail", async ({ scope, query, microversion }) => {
    demandAdmin(scope, policy("list-detail"));
    return list(query, microversion, await fullView(context, microversion));
  });
  app.get("/os-hypervisors/statistics", async (request) => {
    untilMicroversion(request, 87);
    demandAdmin(request.scope, policy("statistics"));
    return { hypervisor_statistics: { count: 1, ...(await capacity(context)) } };
  });
  app.get<One>("/os-hypervisors/:id", async ({ scope, params, query, microversion }) => {
    demandAdmin(scope, policy("show"));
    demandKnown(params.id, microversion);
    const shown = await fullView(context, microversion);
    return { hypervisor: { ...shown, ...guests(microversion >= 53 && wantsServers(query)) } };
  });
  app.get<One>("/os-hypervisors/:id/uptime", (request) => {
    untilMicroversion(request, 87);
    demandAdmin(request.scope, policy("uptime"));
    demandKnown(request.params.id, request.microversion);
    const text = ` ${new Date().toTimeString().slice(0, 8)} up ${Math.floor(uptime() / 86_400)} days,  0 users,  load average: ${loadavg()
      .map((load) => load.toFixed(2))
      .join(", ")}\n`;
    return { hypervisor: { ...shortView(store, request.microversion), uptime: text } };
  });
  app.get<One>("/os-hypervisors/:id/search", (request) => {
    untilMicroversion(request, 52);
    demandAdmin(request.scope, policy("search"));
    demandMatch(request.params.id);
    return { hypervisors: [shortView(store, request.microversion)] };
  });
  app.get<One>("/os-hypervisors/:id/servers", (request) => {
    untilMicroversion(request, 52);
    demandAdmin(request.scope, policy("servers"));
    demandMatch(request.params.id);
    return { hypervisors: [{ ...shortView(store, request.microversion), ...guests(true) }] };
  });
}

interface Listed {
  Querystring: Query;
}
interface One extends Listed {
  Params: { id: string };
}

const wantsServers = (query: Query) => /^(1|t|true|on|y|yes)$/i.test(firstOf(query.with_servers) ?? "");

/** Where the list is that shows such a view. */
function listPath({ base }: Context, view: Record<string, unknown>): string {
  return `${base()}/compute/v2.1/os-hypervisors${"service" in view ? "/detail" : ""}`;
}

function idAt(microversion: number): string {
  return microversion >= 53 ? host.uuid : String(host.number);
}

function shortView(store: Store, microversion: number) {
  const { disabled, forcedDown } = serviceState(store);
  const id = microversion >= 53 ? host.uuid : host.number;
  return {
    id,
    hypervisor_hostname: host.name,
    state: forcedDown ? "down" : "up",
    status: disabled ? "disabled" : "enabled",
  };
}

/** Since 2.88 Nova leaves what a host has to Placement. */
async function fullView(context: Context, microversion: number) {
  const cpu = { arch: process.arch, model: cpus()[0]?.model ?? "", topology: { cores: cpus().length } };
  const before88 = {
    ...(await capacity(context)),
    cpu_info: microversion >= 28 ? cpu : JSON.stringify(cpu),
  };
  return {
    ...shortView(context.store, microversion),
    hypervisor_type: context.hypervisor.kind === "qemu" ? "QEMU" : context.hypervisor.kind,
    hypervisor_version: 1,
    host_ip: "127.0.0.1",
    service: {
      id: microversion >= 53 ? host.serviceUuid : host.number,
      host: host.name,
      disabled_reason: serviceState(context.store).reason,
    },
    ...(microversion >= 88 ? { uptime: null } : before88),
  };
}

/** What this machine has and what of it servers take. */
export async function capacity({ servers }: Pick<Context, "servers">): Promise<Capacity> {
  const disk = await statfs("/");
  const promised = servers.list(isPlaced);
  const sum = (of: "vcpus" | "ram" | "disk") =>
    promised.reduce((total, { flavor, volumeBacked }) => total + (of === "disk" && volumeBacked ? 0 : flavor[of]), 0);
  const memory = Math.floor(totalmem() / mib);
  const local = Math.floor((disk.blocks * disk.bsize) / gib);
  const used = { vcpus: sum("vcpus"), memory: sum("ram"), disk: sum("disk") };
  return {
    vcpus: cpus().length,
    vcpus_used: used.vcpus,
    memory_mb: memory,
    memory_mb_used: used.memory,
    local_gb: local,
    local_gb_used: used.disk,
    free_ram_mb: memory - used.memory,
    free_disk_gb: local - used.disk,
    running_vms: promised.length,
    current_workload: 0,
    disk_available_least: Math.floor((disk.bavail * disk.bsize) / gib),
  };
}
