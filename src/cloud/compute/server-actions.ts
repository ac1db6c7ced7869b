import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseBody } from "../http/body.ts";
import { type Action, begin, demandState } from "./action.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import type { Server } from "./records.ts";
import { changeActions } from "./server-changes.ts";
import { changeGroups } from "./server-nics.ts";
import { serverView } from "./server-view.ts";
import { deleteServer, ownServer, viewContext } from "./servers.ts";

const group = z.strictObject({ name: z.string().min(1) });
const rebootType = z.object({
  type: z
    .string()
    .toUpperCase()
    .pipe(z.enum(["SOFT", "HARD"])),
});
const consoleLength = z.preprocess(
  (value) => (value === "" || value === "-1" || value === -1 ? null : value),
  z.coerce.number().int().min(0).nullable().optional(),
);

/** `POST /servers/{id}/action`, by the one key of its body. */
const actions: Record<string, (action: Action) => unknown> = {
  "os-start": ({ context, server, reply }) => {
    demandState(server, "start", ["stopped"]);
    begin(context, server, "powering-on");
    context.lifecycle.boot(server.id);
    return reply.code(202).send();
  },
  "os-stop": ({ context, server, reply }) => {
    demandState(server, "stop", ["active", "error"]);
    begin(context, server, "powering-off");
    context.lifecycle.stop(server.id);
    return reply.code(202).send();
  },
  reboot: ({ context, server, argument, reply }) => {
    const soft = parseBody(rebootType, argument).type === "SOFT";
    demandState(server, "reboot", soft ? ["active"] : ["active", "stopped", "error"]);
    begin(context, server, soft ? "rebooting" : "rebooting_hard");
    context.lifecycle.reboot(server.id, soft);
    return reply.code(202).send();
  },
  "os-getConsoleOutput": async ({ context, server, argument }) => {
    const { length } = parseBody(z.object({ length: consoleLength }), argument ?? {});
    if (server.launchedAt === null && server.vmState === "building") {
      throw new ApiError(409, `Instance ${server.id} is not ready`);
    }
    return { output: await context.hypervisor.console(server.id, length ?? undefined) };
  },
  addSecurityGroup: async ({ context, scope, server, argument, reply }) => {
    const { name } = parseBody(group, argument);
    context.store.transaction(() =>
      changeGroups(context.tables, scope, server, name, (ids, id) => [...new Set([...ids, id])]),
    );
    await context.reconcile();
    return reply.code(202).send();
  },
  removeSecurityGroup: async ({ context, scope, server, argument, reply }) => {
    const { name } = parseBody(group, argument);
    context.store.transaction(() =>
      changeGroups(context.tables, scope, server, name, (ids, id) => {
        if (!ids.includes(id))
          throw new ApiError(404, `Security group ${name} not associated with the instance ${server.id}`);
        return ids.filter((other) => other !== id);
      }),
    );
    await context.reconcile();
    return reply.code(202).send();
  },
  ...changeActions,
  forceDelete: ({ context, server, reply }) => {
    deleteServer(context, server);
    return reply.code(202).send();
  },
};

/** Actions that Nova has and this cloud does not do. */
const notDone = new Set([
  "createBackup",
  "createImage",
  "lock",
  "migrate",
  "os-migrateLive",
  "pause",
  "rescue",
  "restore",
  "resume",
  "shelveOffload",
  "suspend",
  "unlock",
  "unpause",
  "unrescue",
]);

export function serverActionRoutes(app: FastifyInstance, context: ComputeContext): void {
  app.post<{ Params: { id: string } }>("/servers/:id/action", (request, reply) => {
    const { scope, params, body, microversion } = request;
    const entries = Object.entries((body as Record<string, unknown> | undefined) ?? {});
    const [entry] = entries;
    if (entry === undefined || entries.length > 1)
      throw nova.badRequest("There should be exactly one action in the body.");
    const [name, argument] = entry;
    const server = ownServer(context, scope, params.id);
    const view = (one: Server) => serverView(one, viewContext(context, request));
    const act = Object.hasOwn(actions, name) ? actions[name] : undefined;
    if (act !== undefined) return act({ context, scope, server, argument, microversion, reply, view });
    if (name === "changePassword")
      throw new ApiError(501, "Unable to set password on instance: guests have no agent here.");
    if (notDone.has(name)) throw new ApiError(501, `This cloud does not do the action '${name}'.`);
    throw nova.badRequest(`There is no such action: ${name}`);
  });
}
