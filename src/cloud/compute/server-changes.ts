import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseBody } from "../http/body.ts";
import { type Action, demandState } from "./action.ts";
import { demandQuota } from "./quotas.ts";
import type { Server, TaskState } from "./records.ts";
import { demandPersonality, flavorOf, imageOf, personalitySchema } from "./server-create.ts";
import { ownServer } from "./servers.ts";

const resizeBody = z.looseObject({ flavorRef: z.union([z.string(), z.number().transform(String)]) });
// what else a rebuild may change is refused by name, not ignored
const rebuildBody = z.strictObject({
  imageRef: z.string(),
  name: z.string().trim().min(1).max(255).optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  preserve_ephemeral: z.literal(false).optional(),
  adminPass: z.string().optional(),
  personality: personalitySchema.optional(),
});

/** Notes what is being done with a server, and what it comes from. */
function promise({ context, server }: Action, taskState: TaskState, change: Partial<Server> = {}): void {
  context.servers.patch(server.id, { taskState, ...change });
}

/** Actions that change what a server is made of, or take it off its host. */
export const changeActions: Record<string, (action: Action) => unknown> = {
  resize: (action) => {
    const { context, scope, server, argument, reply } = action;
    const { flavorRef } = parseBody(resizeBody, argument);
    demandState(server, "resize", ["active", "stopped"]);
    const flavor = flavorOf(context.flavors, scope, flavorRef);
    if (flavor.id === server.flavor.id) throw new ApiError(400, "When resizing, instances must change flavor!");
    demandQuota(context, server.projectId, flavor, server.flavor);
    const changedFrom = { flavor: server.flavor, stopped: server.vmState === "stopped" };
    promise(action, "resize_prep", { flavor, changedFrom });
    context.lifecycle.resize(server.id, "resized");
    return reply.code(202).send();
  },
  confirmResize: ({ context, server, reply }) => {
    demandResized(server, "confirmResize");
    context.servers.patch(server.id, {
      vmState: server.changedFrom?.stopped ? "stopped" : "active",
      changedFrom: null,
    });
    return reply.code(204).send();
  },
  revertResize: (action) => {
    const { context, server, reply } = action;
    demandResized(server, "revertResize");
    promise(action, "resize_reverting", { flavor: server.changedFrom?.flavor ?? server.flavor });
    context.lifecycle.resize(server.id, "active");
    return reply.code(202).send();
  },
  rebuild: (action) => {
    const { context, scope, server, argument, reply } = action;
    const asked = parseBody(rebuildBody, argument);
    demandPersonality(action.microversion, asked.personality);
    demandState(server, "rebuild", ["active", "stopped", "error"]);
    const image = imageOf(context.images, scope, asked.imageRef, server.flavor);
    promise(action, "rebuilding", {
      imageId: image.id,
      name: asked.name ?? server.name,
      metadata: asked.metadata ?? server.metadata,
      ...(asked.personality === undefined ? {} : { personality: asked.personality }),
      changedFrom: { flavor: server.flavor, stopped: server.vmState === "stopped" },
    });
    context.lifecycle.rebuild(server.id);
    return reply.code(202).send({ server: action.view(ownServer(context, scope, server.id)) });
  },
  shelve: (action) => {
    demandState(action.server, "shelve", ["active", "stopped"]);
    promise(action, "shelving_offloading");
    action.context.lifecycle.shelve(action.server.id);
    return action.reply.code(202).send();
  },
  unshelve: (action) => {
    demandState(action.server, "unshelve", ["shelved_offloaded"]);
    promise(action, "unshelving");
    action.context.lifecycle.boot(action.server.id);
    return action.reply.code(202).send();
  },
};

function demandResized(server: Server, action: string): void {
  demandState(server, action, ["resized"]);
}
