import { statfs } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { isAdmin } from "../identity/scope.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { untilMicroversion } from "./microversion.ts";

/** The one host of this cloud: its id before and since 2.53. */
const host = { name: "slipway", number: 1, uuid: "51a9a7b0-0000-5000-8000-000000000001" };
const mib = 1024 ** 2;
const gib = 1024 ** 3;

type Context = Pick<ComputeContext, "servers" | "hypervisor">;

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
  const demandAdmin = ({ scope }: FastifyRequest, action: string) => {
    if (!isAdmin(scope)) throw nova.forbidden(`os_compute_api:os-hypervisors:${action}`);
  };
  const demandKnown = (id: string, microversion: number) => {
    if (microversion >= 53 && !/^[0-9a-f-]{36}$/i.test(id)) throw nova.badRequest(`Invalid uuid ${id}`);
    if (id !== idAt(microversion)) throw new ApiError(404, `Compute host ${id} could not be found.`);
  };

  app.get("/os-hypervisors", (request) => {
    demandAdmin(request, "list");
    return { hypervisors: [shortView(request.microversion)] };
  });
  app.get("/os-hypervisors/detail", async (request) => {
    demandAdmin(request, "list-detail");
    return { hypervisors: [await fullView(context, request.microversion)] };
  });
  app.get("/os-hypervisors/statistics", async (request) => {
    untilMicroversion(request, 87);
    demandAdmin(request, "statistics");
    return { hypervisor_statistics: { count: 1, ...(await capacity(context)) } };
  });
  app.get<{ Params: { id: string } }>("/os-hypervisors/:id", async (request) => {
    demandAdmin(request, "show");
    demandKnown(request.params.id, request.microversion);
    return { hypervisor: await fullView(context, request.microversion) };
  });
}

function idAt(microversion: number): string {
  return microversion >= 53 ? host.uuid : String(host.number);
}

function shortView(microversion: number) {
  const id = microversion >= 53 ? host.uuid : host.number;
  return { id, hypervisor_hostname: host.name, state: "up", status: "enabled" };
}

/** Since 2.88 Nova leaves what a host has to Placement. */
async function fullView(context: Context, microversion: number) {
  const cpu = { arch: process.arch, model: cpus()[0]?.model ?? "", topology: { cores: cpus().length } };
  const before88 = {
    ...(await capacity(context)),
    cpu_info: microversion >= 28 ? cpu : JSON.stringify(cpu),
  };
  return {
    ...shortView(microversion),
    hypervisor_type: context.hypervisor.kind === "qemu" ? "QEMU" : context.hypervisor.kind,
    hypervisor_version: 1,
    host_ip: "127.0.0.1",
    service: { id: microversion >= 53 ? host.uuid : host.number, host: host.name, disabled_reason: null },
    ...(microversion >= 88 ? { uptime: null } : before88),
  };
}

async function capacity({ servers }: Context): Promise<Capacity> {
  const disk = await statfs("/");
  const promised = servers.list();
  const sum = (of: "vcpus" | "ram" | "disk") => promised.reduce((total, server) => total + server.flavor[of], 0);
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
