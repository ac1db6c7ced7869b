import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import { isVisible } from "../image/images.ts";
import { type Action, type Actions, accepted, begin, demand } from "./action.ts";
import { newPassword } from "./admin-password.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { TaskState, VmState } from "./records.ts";
import { uuid } from "./schema-types.ts";

const rebootTypes = ["HARD", "Hard", "hard", "SOFT", "Soft", "soft"] as const;
const rebootBody = z.strictObject({ reboot: z.strictObject({ type: z.enum(rebootTypes) }) });
const rescueBody = z.strictObject({
  rescue: z.strictObject({ adminPass: z.string().optional(), rescue_image_ref: uuid.optional() }).nullable(),
});

/** An action that nothing but its name says. */
function plain(
  name: string,
  states: readonly VmState[],
  task: TaskState,
  work: (lifecycle: Lifecycle, id: string) => void,
  more: { shownAs?: string; onHost?: boolean } = {},
) {
  return (action: Action) => {
    demand(action, more.shownAs ?? name, { states, onHost: more.onHost ?? false });
    begin(action, name, task);
    work(action.context.lifecycle, action.server.id);
    return accepted(action);
  };
}

/** @throws ApiError 501 where the guests of this cloud cannot be held */
function demandHolds({ context }: Action): void {
  if (context.hypervisor.pause === undefined) {
    throw new ApiError(501, "The requested functionality is not supported.");
  }
}

function held(act: (action: Action) => unknown) {
  return (action: Action) => {
    demandHolds(action);
    return act(action);
  };
}

/** Actions that start, stop and hold guests. */
export const powerActions: Actions = {
  "os-start": plain("start", ["stopped"], "powering-on", (lifecycle, id) => lifecycle.boot(id), { onHost: true }),
  "os-stop": plain("stop", ["active", "error"], "powering-off", (lifecycle, id) => lifecycle.stop(id), {
    onHost: true,
  }),
  pause: held(plain("pause", ["active"], "pausing", (lifecycle, id) => lifecycle.pause(id))),
  unpause: held(plain("unpause", ["paused"], "unpausing", (lifecycle, id) => lifecycle.unpause(id))),
  suspend: held(plain("suspend", ["active"], "suspending", (lifecycle, id) => lifecycle.suspend(id))),
  resume: held(plain("resume", ["suspended"], "resuming", (lifecycle, id) => lifecycle.resume(id))),
  reboot: (action) => {
    const soft = parseSchema(rebootBody, action.body).reboot.type.toUpperCase() === "SOFT";
    const states: VmState[] = soft ? ["active"] : ["active", "stopped", "paused", "suspended", "error"];
    demand(action, "reboot", { states });
    begin(action, "reboot", soft ? "rebooting" : "rebooting_hard");
    action.context.lifecycle.reboot(action.server.id, soft);
    return accepted(action);
  },
  rescue: (action) => {
    const { context, scope, server, body } = action;
    const { rescue: asked } = parseSchema(rescueBody, body);
    demand(action, "rescue", { states: ["active", "stopped", "error"] });
    const imageId = asked?.rescue_image_ref ?? server.imageId;
    const image = context.images.get(imageId);
    const isFit = image !== undefined && isVisible(scope, image) && image.status === "active";
    if (!isFit && imageId !== "") throw new ApiError(400, `Requested rescue image '${imageId}' is not supported`);
    if (server.volumeBacked) {
      throw new ApiError(400, `Instance ${server.id} cannot be rescued: Cannot rescue a volume-backed instance`);
    }
    if (context.hypervisor.rescues !== true) {
      throw new ApiError(400, `Instance ${server.id} cannot be rescued: Driver Error: rescue is not supported`);
    }
    const rescuePass = asked?.adminPass ?? newPassword();
    begin(action, "rescue", "rescuing", { rescueImageId: imageId, rescuePass });
    context.lifecycle.rescue(server.id);
    return { adminPass: rescuePass };
  },
  unrescue: plain("unrescue", ["rescued"], "unrescuing", (lifecycle, id) => lifecycle.unrescue(id)),
};
