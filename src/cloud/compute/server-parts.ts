import type { FastifyInstance } from "fastify";
import { ApiError } from "../http/api-error.ts";
import { pythonRepr } from "../http/python-repr.ts";
import { isoMicrosNoZone } from "../http/time.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import { demandAdmin } from "./action.ts";
import { remoteConsole } from "./console-actions.ts";
import type { ComputeContext } from "./context.ts";
import { diagnosticsOf } from "./diagnostics.ts";
import { nova } from "./errors.ts";
import { host, hostIdOf } from "./host.ts";
import { actionTable, eventsOf, type InstanceAction } from "./instance-actions.ts";
import { allOf, badQuery, demandOnly, firstOf, nextLinks, pageAfter, type Query } from "./paging.ts";
import { timeOf } from "./server-list.ts";
import { portsOf } from "./server-ports.ts";
import { novaGroupView } from "./server-security-groups.ts";
import { ownOrGone, ownServer } from "./servers.ts";

interface One {
  Params: { id: string };
}

/** What hangs on a server: security groups, actions, figures, places. */
export function serverPartRoutes(app: FastifyInstance, context: ComputeContext): void {
  const { tables } = context;
  app.get<One>("/servers/:id/os-security-groups", ({ scope, params }) => {
    const ids = new Set(portsOf(tables, ownServer(context, scope, params.id)).flatMap((port) => port.securityGroupIds));
    return {
      security_groups: tables.securityGroups
        .list((group) => ids.has(group.id))
        .toSorted((one, other) => (`${one.projectId} ${one.name}` < `${other.projectId} ${other.name}` ? -1 : 1))
        .map((group) => {
          const rules = tables.securityGroupRules.list(({ securityGroupId }) => securityGroupId === group.id);
          return novaGroupView(group, rules, (id) => tables.securityGroups.get(id));
        }),
    };
  });
  actionRoutes(app, context);

  app.get<One>("/servers/:id/diagnostics", ({ scope, params, microversion }) => {
    const server = ownServer(context, scope, params.id);
    demandAdmin(scope, "os_compute_api:os-server-diagnostics");
    return diagnosticsOf(server, context.hypervisor.kind, portsOf(tables, server), microversion);
  });
  app.get<One>("/servers/:id/topology", ({ scope, params, microversion }) => {
    if (microversion < 78) throw nova.notFound();
    ownServer(context, scope, params.id);
    return { nodes: [], pagesize_kb: null }; // guests are not pinned to parts of the machine
  });
  app.post<One>("/servers/:id/remote-consoles", ({ scope, params, body, microversion }) => {
    if (microversion < 6) throw nova.notFound();
    return remoteConsole(ownServer(context, scope, params.id), body ?? null, microversion);
  });
  app.get<One>("/servers/:id/os-server-password", ({ scope, params }) => ({
    password: ownServer(context, scope, params.id).encryptedPassword ?? "",
  }));
  app.delete<One>("/servers/:id/os-server-password", ({ scope, params }, reply) => {
    const { id } = ownServer(context, scope, params.id);
    context.servers.patch(id, { encryptedPassword: "" });
    return reply.code(204).send();
  });
  // one host: nothing is ever on the way to another
  app.get<One>("/servers/:id/migrations", ({ scope, params, microversion }) => {
    if (microversion < 23) throw nova.notFound();
    demandAdmin(scope, "os_compute_api:servers:migrations:index");
    ownServer(context, scope, params.id);
    return { migrations: [] };
  });
  app.get<{ Params: { id: string; migration: string } }>("/servers/:id/migrations/:migration", ({ scope, params }) => {
    demandAdmin(scope, "os_compute_api:servers:migrations:show");
    ownServer(context, scope, params.id);
    throw new ApiError(
      404,
      `In-progress live migration with id ${params.migration} could not be found for server ${params.id}.`,
    );
  });
}

/** `/servers/{id}/os-instance-actions` */
function actionRoutes(app: FastifyInstance, context: ComputeContext): void {
  const path = "/servers/:id/os-instance-actions";
  /** Since 2.21 also of servers that are gone. */
  const found = (scope: Scope, id: string, microversion: number) => {
    const server = microversion >= 21 ? ownOrGone(context, scope, id) : ownServer(context, scope, id);
    return actionTable(context.store).get(server.id)?.actions.toReversed() ?? [];
  };

  app.get<One & { Querystring: Query }>(path, ({ scope, params, query, microversion }) => {
    const all = found(scope, params.id, microversion);
    if (microversion < 58) return { instanceActions: all.map((action) => actionView(action, params.id, microversion)) };
    demandKnown(query, microversion);
    const page = pageAfter(
      all.filter(within(query)),
      query,
      ({ requestId }) => requestId,
      (marker) => `Marker ${marker} could not be found.`,
    );
    const href = `${context.base()}/compute/v2.1/servers/${params.id}/os-instance-actions`;
    const links = nextLinks(href, query, page.length, page.at(-1)?.requestId);
    return {
      instanceActions: page.map((action) => actionView(action, params.id, microversion)),
      ...(links === undefined ? {} : { links }),
    };
  });

  app.get<{ Params: { id: string; request: string } }>(`${path}/:request`, ({ scope, params, microversion }) => {
    const action = found(scope, params.id, microversion).find(({ requestId }) => requestId === params.request);
    if (action === undefined) throw new ApiError(404, `Action ${params.request} not found`);
    const showsEvents = isAdmin(scope) || microversion >= 51;
    return {
      instanceAction: {
        ...actionView(action, params.id, microversion),
        ...(showsEvents ? { events: eventViews(action, scope, microversion) } : {}),
      },
    };
  });
}

function demandKnown(query: Query, microversion: number): void {
  demandOnly(query, ["limit", "marker", "changes-since", ...(microversion >= 66 ? ["changes-before"] : [])]);
  for (const name of ["changes-since", "changes-before"]) {
    for (const value of allOf(query[name])) {
      if (Number.isNaN(timeOf(value))) throw badQuery(name, value, `${pythonRepr(value)} is not a 'date-time'`);
    }
  }
}

function within(query: Query): (action: InstanceAction) => boolean {
  const [since, before] = ["changes-since", "changes-before"].map((name) => firstOf(query[name]));
  if (since !== undefined && before !== undefined && timeOf(before) < timeOf(since)) {
    throw nova.badRequest("The value of changes-since must be less than or equal to changes-before.");
  }
  return ({ startTime, finishTime }) => {
    const changed = Date.parse(finishTime ?? startTime);
    return (since === undefined || changed >= timeOf(since)) && (before === undefined || changed <= timeOf(before));
  };
}

function actionView(action: InstanceAction, serverId: string, microversion: number): Record<string, unknown> {
  return {
    action: action.action,
    instance_uuid: serverId,
    request_id: action.requestId,
    user_id: action.userId,
    project_id: action.projectId,
    start_time: isoMicrosNoZone(action.startTime),
    message: action.failure !== null ? "Error" : null,
    ...(microversion >= 58 ? { updated_at: isoMicrosNoZone(action.finishTime ?? action.startTime) } : {}),
  };
}

/** The newest first. What only administrators see: where it was done, and how it failed. */
function eventViews(action: InstanceAction, scope: Scope, microversion: number): Record<string, unknown>[] {
  const { startTime, finishTime, failure, projectId } = action;
  return eventsOf(action)
    .toReversed()
    .map((event) => ({
      event,
      start_time: isoMicrosNoZone(startTime),
      finish_time: finishTime === null ? null : isoMicrosNoZone(finishTime),
      result: finishTime === null ? null : failure !== null ? "Error" : "Success",
      ...(isAdmin(scope) ? { traceback: null } : {}),
      ...(isAdmin(scope) && microversion >= 62 ? { host: host.name } : {}),
      ...(microversion >= 62 ? { hostId: hostIdOf(projectId) } : {}),
      ...(isAdmin(scope) && microversion >= 84 ? { details: failure } : {}),
    }));
}
