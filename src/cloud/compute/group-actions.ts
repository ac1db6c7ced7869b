import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import { type Action, type Actions, accepted } from "./action.ts";
import { name } from "./schema-types.ts";
import { changeGroups } from "./server-nics.ts";

const group = z.object({ name });

/** A server's security groups, on all of its ports. */
export const groupActions: Actions = {
  addSecurityGroup: (action) => change(action, "addSecurityGroup", (ids, id) => [...new Set([...ids, id])]),
  removeSecurityGroup: (action) =>
    change(action, "removeSecurityGroup", (ids, id, called) => {
      if (!ids.includes(id)) {
        throw new ApiError(404, `Security group ${called} not associated with the instance ${action.server.id}`);
      }
      return ids.filter((other) => other !== id);
    }),
};

async function change(action: Action, key: string, decide: (ids: string[], id: string, called: string) => string[]) {
  const { context, scope, server, body } = action;
  const called = parseSchema(z.object({ [key]: group }), body)[key]?.name ?? "";
  context.store.transaction(() =>
    changeGroups(context.tables, scope, server, called, (ids, id) => decide(ids, id, called)),
  );
  await context.reconcile();
  return accepted(action);
}
