import { withStackLock } from "../../release/stack-lock.ts";
import { bringUp } from "../bring-up.ts";
import { withUsageIfFull } from "../lack-of-room.ts";
import { eventLogOption, modelOption, refreshOption } from "../options.ts";
import { refusePretendedGuests } from "../pretended-guests.ts";
import { servedObject, servedText } from "../served.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace } from "../workspace.ts";

export const verb = declare({
  options: { model: modelOption, refresh: refreshOption, "event-log": eventLogOption },
  run: async ({ args, reporter, signal }) => {
    const workspace = await openWorkspace(args);
    await refusePretendedGuests(workspace);
    const served = await withStackLock(workspace.stackHome, `up ${workspace.stack}`, () =>
      withUsageIfFull(workspace.session, () =>
        bringUp(workspace, reporter, { model: args.model, refresh: args.refresh, signal }),
      ),
    );
    reporter.result(servedObject(workspace, served, reporter.timings), servedText(workspace, served, reporter.timings));
  },
});
