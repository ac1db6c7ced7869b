import type { FastifyInstance } from "fastify";
import { now } from "../clock/clock.ts";
import { owns } from "../identity/scope.ts";
import { demandAdmin } from "./action.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { firstOf, nextLinks, pageAfter, type Query } from "./paging.ts";
import { deletedServerTable, type Server } from "./records.ts";

/** Milliseconds since 1970. */
interface Period {
  start: number;
  stop: number;
}

type Usage = Record<string, unknown>;

/** `/os-simple-tenant-usage`: what projects used in a time, in hours. */
export function tenantUsageRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { store, servers, base } = context;
  const page = (query: Query, microversion: number, period: Period, projectId?: string): Server[] => {
    const all = [...deletedServerTable(store).list(), ...servers.list()]
      .filter((server) => projectId === undefined || server.projectId === projectId)
      .filter((server) => server.launchedAt !== null && Date.parse(server.launchedAt) < period.stop)
      .filter((server) => !server.terminatedAt || Date.parse(server.terminatedAt) > period.start);
    return microversion < 40
      ? all
      : pageAfter(
          all,
          query,
          ({ id }) => id,
          (marker) => `Marker ${marker} could not be found.`,
        );
  };
  const links = (path: string, query: Query, microversion: number, found: Server[]) =>
    microversion < 40 ? undefined : nextLinks(`${base()}/compute/v2.1/${path}`, query, found.length, found.at(-1)?.id);

  app.get<{ Querystring: Query }>("/os-simple-tenant-usage", ({ scope, query, microversion }) => {
    demandAdmin(scope, "os_compute_api:os-simple-tenant-usage:list");
    const period = periodOf(query);
    const found = page(query, microversion, period);
    const projects = [...new Set(found.map(({ projectId }) => projectId))];
    const detailed = firstOf(query.detailed) === "1";
    const next = links("os-simple-tenant-usage", query, microversion, found);
    return {
      tenant_usages: projects.map((id) => summary(id, found, period, detailed)),
      ...(next === undefined ? {} : { tenant_usages_links: next }),
    };
  });

  type OfProject = { Params: { project: string }; Querystring: Query };
  app.get<OfProject>("/os-simple-tenant-usage/:project", ({ scope, params, query, microversion }) => {
    if (!owns(scope, params.project)) throw nova.forbidden("os_compute_api:os-simple-tenant-usage:show");
    const period = periodOf(query);
    const found = page(query, microversion, period, params.project);
    const next = links(`os-simple-tenant-usage/${params.project}`, query, microversion, found);
    return {
      tenant_usage: found.length === 0 ? {} : summary(params.project, found, period, true),
      ...(next === undefined ? {} : { tenant_usage_links: next }),
    };
  });
}

/** @throws ApiError 400 for what is no time, or ends before it begins */
function periodOf(query: Query): Period {
  const at = now();
  const [start, stop] = ["start", "end"].map((name) => {
    const text = firstOf(query[name]);
    if (!text) return at;
    if (!/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.\d+)?)$/.test(text)) {
      throw nova.badRequest("Invalid datetime string: Datetime is in invalid format");
    }
    return Date.parse(`${text.replace(" ", "T")}Z`);
  }) as [number, number];
  if (start >= stop) {
    throw nova.badRequest("Invalid start time. The start time cannot occur after the end time.");
  }
  return { start, stop: Math.min(stop, at) };
}

function summary(projectId: string, found: Server[], period: Period, detailed: boolean): Usage {
  const own = found.filter((server) => server.projectId === projectId);
  const sum = (of: (server: Server) => number) =>
    own.reduce((total, server) => total + of(server) * hoursOf(server, period), 0);
  return {
    tenant_id: projectId,
    ...(detailed ? { server_usages: own.map((server) => serverUsage(server, period)) } : {}),
    total_local_gb_usage: sum(diskOf),
    total_vcpus_usage: sum(({ flavor }) => flavor.vcpus),
    total_memory_mb_usage: sum(({ flavor }) => flavor.ram),
    total_hours: sum(() => 1),
    start: timeText(period.start),
    stop: timeText(period.stop),
  };
}

const diskOf = ({ flavor }: Server) => flavor.disk + (flavor.ephemeral ?? 0);

function hoursOf({ launchedAt, terminatedAt }: Server, { start, stop }: Period): number {
  if (launchedAt === null) return 0;
  const end = terminatedAt ? Math.min(stop, Date.parse(terminatedAt)) : stop;
  return Math.max(0, end - Math.max(start, Date.parse(launchedAt))) / 3_600_000;
}

function serverUsage(server: Server, period: Period): Usage {
  const launched = Date.parse(server.launchedAt ?? server.createdAt);
  const ended = server.terminatedAt ? Date.parse(server.terminatedAt) : undefined;
  return {
    hours: hoursOf(server, period),
    flavor: server.flavor.name,
    instance_id: server.id,
    name: server.name,
    tenant_id: server.projectId,
    memory_mb: server.flavor.ram,
    local_gb: diskOf(server),
    vcpus: server.flavor.vcpus,
    started_at: timeText(launched),
    ended_at: ended === undefined ? null : timeText(ended),
    state: ended === undefined ? server.vmState : "terminated",
    uptime: Math.floor(((ended ?? now()) - launched) / 1000),
  };
}

/** `2026-01-02T03:04:05.000000` */
function timeText(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 23)}000`;
}
