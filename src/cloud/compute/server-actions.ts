import type { FastifyInstance } from "fastify";
import { type Actions, accepted, demand, demandAdmin } from "./action.ts";
import { adminActions } from "./admin-actions.ts";
import { consoleActions } from "./console-actions.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { floatingIpActions } from "./floating-ip-actions.ts";
import { groupActions } from "./group-actions.ts";
import { imageActions } from "./image-actions.ts";
import { lockActions } from "./lock-actions.ts";
import { powerActions } from "./power-actions.ts";
import type { Server } from "./records.ts";
import { changeActions } from "./server-changes.ts";
import { serverView } from "./server-view.ts";
import { deleteServer, ownServer, viewContext } from "./servers.ts";

/** `POST /servers/{id}/action`, by the one key of its body. */
const actions: Actions = {
  ...powerActions,
  ...changeActions,
  ...lockActions,
  ...groupActions,
  ...consoleActions,
  ...imageActions,
  ...floatingIpActions,
  ...adminActions,
  // servers are deleted at once here: none waits to be restored, as in a Nova without `reclaim_instance_interval`
  restore: (action) => {
    demand(action, "restore", { states: [] });
    return accepted(action);
  },
  forceDelete: (action) => {
    deleteServer(action.context, action.server, action);
    return accepted(action);
  },
  // with `shelved_offload_time` 0 a shelved server is off its host at once
  shelveOffload: (action) => {
    demandAdmin(action.scope, "os_compute_api:os-shelve:shelve_offload");
    demand(action, "shelveOffload", { states: [] });
    return accepted(action);
  },
};

export function serverActionRoutes(app: FastifyInstance, context: ComputeContext): void {
  app.post<{ Params: { id: string } }>("/servers/:id/action", (request, reply) => {
    const { scope, params, body, microversion, id: requestId } = request;
    const names = typeof body === "object" && body !== null ? Object.keys(body) : [];
    const [name] = names;
    if (name === undefined || names.length > 1) throw nova.badRequest("Malformed request body");
    const act = Object.hasOwn(actions, name) ? actions[name] : undefined;
    if (act === undefined) throw nova.noSuchAction(name);
    const server = ownServer(context, scope, params.id);
    const view = (one: Server) => serverView(one, viewContext(context, request), "rebuilt");
    return act({ context, scope, server, body, microversion, requestId, reply, view });
  });
}
