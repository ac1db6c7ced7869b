import { bringUp } from "../bring-up.ts";
import { forEachStack, otherStacks } from "../each-stack.ts";
import { showEngineChoice } from "../engine-progress.ts";
import { withUsageIfFull } from "../lack-of-room.ts";
import { whileLocked } from "../locked.ts";
import { eventLogOption, lockWaitOption, modelOption, operationOptions, operationOptionsFrom } from "../options.ts";
import { refusePretendedGuests } from "../pretended-guests.ts";
import { servedObject, servedText } from "../served.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace } from "../workspace.ts";

export const verb = declare({
  options: { model: modelOption, "lock-wait": lockWaitOption, "event-log": eventLogOption, ...operationOptions },
  ...otherStacks,
  run: (call) =>
    forEachStack(call, async (stack, reporter) => {
      const { args, signal } = call;
      const workspace = await openWorkspace({ ...args, stack });
      showEngineChoice(reporter, workspace.engineChoice);
      await refusePretendedGuests(workspace);
      const served = await whileLocked(workspace, { verb: "up", reporter, lockWait: args.lockWait, signal }, (lock) =>
        withUsageIfFull(workspace.session, () =>
          bringUp(workspace, reporter, { model: args.model, lock, signal, operation: operationOptionsFrom(args) }),
        ),
      );
      const { timings } = reporter;
      reporter.result(servedObject(workspace, served, timings), servedText(workspace, served, timings));
    }),
});
