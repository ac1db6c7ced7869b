import { z } from "zod";
import { parseSchema } from "../http/json-schema-words.ts";
import { isAdmin } from "../identity/scope.ts";
import { type Actions, accepted, changeAtOnce, demandAdmin } from "./action.ts";

const lockBody = z.strictObject({
  lock: z.strictObject({ locked_reason: z.string().min(1).max(255).optional() }).nullable(),
});

/** Who locks what may be acted on by administrators alone; what an administrator locked, its owner does not unlock. */
export const lockActions: Actions = {
  lock: (action) => {
    const { server, scope, microversion, body } = action;
    const asked = microversion >= 73 ? parseSchema(lockBody, body).lock : null;
    const isOwner = server.projectId === scope.project?.id;
    if (server.lockedBy && isOwner) return accepted(action); // it stays as it is locked
    changeAtOnce(action, "lock", {
      lockedBy: isOwner ? "owner" : "admin",
      lockedReason: asked?.locked_reason ?? server.lockedReason ?? null,
    });
    return accepted(action);
  },
  unlock: (action) => {
    const { server, scope } = action;
    const expected = server.projectId === scope.project?.id ? "owner" : "admin";
    if (server.lockedBy && server.lockedBy !== expected && !isAdmin(scope)) {
      demandAdmin(scope, "os_compute_api:os-lock-server:unlock:unlock_override");
    }
    changeAtOnce(action, "unlock", { lockedBy: null, lockedReason: null });
    return accepted(action);
  },
};
