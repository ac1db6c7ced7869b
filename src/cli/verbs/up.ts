import { withStackLock } from "../../release/stack-lock.ts";
import { bringUp } from "../bring-up.ts";
import { showEngineChoice } from "../engine-progress.ts";
import { withUsageIfFull } from "../lack-of-room.ts";
import { eventLogOption, modelOption, operationOptions, operationOptionsFrom } from "../options.ts";
import { refusePretendedGuests } from "../pretended-guests.ts";
import { servedObject, servedText } from "../served.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace } from "../workspace.ts";

export const verb = declare({
  options: { model: modelOption, "event-log": eventLogOption, ...operationOptions },
  run: async ({ args, reporter, signal }) => {
    const workspace = await openWorkspace(args);
    showEngineChoice(reporter, workspace.engineChoice);
    await refusePretendedGuests(workspace);
    const served = await withStackLock(workspace.stackHome, `up ${workspace.stack}`, () =>
      withUsageIfFull(workspace.session, () =>
        bringUp(workspace, reporter, { model: args.model, signal, operation: operationOptionsFrom(args) }),
      ),
    );
    reporter.result(servedObject(workspace, served, reporter.timings), servedText(workspace, served, reporter.timings));
  },
});
