import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import { isoSeconds } from "../http/time.ts";
import { type Action, type Actions, accepted, begin, changeAtOnce, demand, demandAdmin } from "./action.ts";
import { nova } from "./errors.ts";
import { host } from "./host.ts";
import { actionTable, finishAction } from "./instance-actions.ts";
import { boolean, hostReference, oneOf } from "./schema-types.ts";

const resetBody = z.strictObject({ "os-resetState": z.strictObject({ state: z.enum(["active", "error"]) }) });

const migrateBody = z.strictObject({
  migrate: z.strictObject({ host: hostReference.nullable().optional() }).nullable(),
});

const liveBody = (microversion: number) =>
  z.strictObject({
    "os-migrateLive": z.strictObject({
      block_migration: microversion >= 25 ? oneOf([boolean, z.literal("auto")]) : boolean,
      disk_over_commit: microversion >= 25 ? z.undefined().optional() : boolean,
      host: hostReference.nullable(),
      force: microversion >= 30 && microversion < 68 ? boolean.optional() : z.undefined().optional(),
    }),
  });

const evacuateBody = (microversion: number) =>
  z.strictObject({
    evacuate: z.strictObject({
      host: hostReference.optional(),
      onSharedStorage: microversion >= 14 ? z.undefined().optional() : boolean,
      adminPass: z.string().optional(),
      force: microversion >= 29 && microversion < 68 ? boolean.optional() : z.undefined().optional(),
    }),
  });

const crashBody = z.strictObject({ trigger_crash_dump: z.null() });

const noHost = "No valid host was found. There are not enough hosts available.";

/** What administrators do with servers, and what asks for more hosts than there are. */
export const adminActions: Actions = {
  "os-resetState": (action) => {
    demandAdmin(action.scope, "os_compute_api:os-admin-actions:reset_state");
    const { state } = parseSchema(resetBody, action.body)["os-resetState"];
    changeAtOnce(action, "resetState", { vmState: state, taskState: null, updatedAt: isoSeconds() });
    return accepted(action);
  },
  resetNetwork: () => {
    throw new ApiError(410, "This resource is no longer available. No forwarding address is given.");
  },
  injectNetworkInfo: (action) => {
    demandAdmin(action.scope, "os_compute_api:os-admin-actions:inject_network_info");
    return accepted(action); // addresses are on guests' interfaces, nothing is injected
  },
  migrate: (action) => {
    demandAdmin(action.scope, "os_compute_api:os-migrate-server:migrate");
    const asked = action.microversion >= 56 ? parseSchema(migrateBody, action.body).migrate : null;
    demand(action, "migrate", { states: ["active", "stopped"], onHost: true });
    if (asked?.host === host.name) throw nova.badRequest("The target host can't be the same one.");
    if (asked?.host) throw nova.badRequest(`Compute host ${asked.host} could not be found.`);
    failToPlace(action, "migrate", "No valid host was found. No valid host found for cold migrate");
    return accepted(action);
  },
  "os-migrateLive": (action) => {
    demandAdmin(action.scope, "os_compute_api:os-migrate-server:migrate_live");
    const asked = parseSchema(liveBody(action.microversion), action.body)["os-migrateLive"];
    demand(action, "os-migrateLive", { states: ["active", "paused"] });
    if (asked.host) throw nova.badRequest(`Compute host ${asked.host} could not be found.`);
    failToPlace(action, "live-migration", noHost);
    if (action.microversion < 34) throw nova.badRequest(noHost);
    return accepted(action);
  },
  evacuate: (action) => {
    demandAdmin(action.scope, "os_compute_api:os-evacuate");
    const asked = parseSchema(evacuateBody(action.microversion), action.body).evacuate;
    if (asked.host) throw nova.badRequest(`Compute host ${asked.host} not found.`);
    demand(action, "evacuate", { states: ["active", "stopped", "error"], whileBusy: true });
    throw nova.badRequest(`Compute service of ${host.name} is still in use.`);
  },
  trigger_crash_dump: (action) => {
    if (action.microversion < 17) throw nova.notFound();
    parseSchema(crashBody, action.body);
    demand(action, "trigger_crash_dump", { states: ["active", "paused", "rescued", "resized", "error"], onHost: true });
    if (action.context.hypervisor.kind !== "fake") {
      throw new ApiError(501, "The requested functionality is not supported."); // a container has no kernel of its own to crash
    }
    changeAtOnce(action, "trigger_crash_dump");
    return accepted(action);
  },
};

/** There is one host: what is to move finds no other, and stays as it is. */
function failToPlace(action: Action, name: string, why: string): void {
  const { context, server } = action;
  begin(action, name, null);
  finishAction(actionTable(context.store), server.id, why);
}
