import { bringUp } from "../bring-up.ts";
import { forEachStack, otherStacks } from "../each-stack.ts";
import { showEngineChoice } from "../engine-progress.ts";
import { withUsageIfFull } from "../lack-of-room.ts";
import { whileLocked } from "../locked.ts";
import {
  drainOption,
  eventLogOption,
  keepOldOption,
  lockWaitOption,
  modelOption,
  operationOptions,
  operationOptionsFrom,
  verdictTimeoutOption,
  watchOption,
} from "../options.ts";
import { refusePretendedGuests } from "../pretended-guests.ts";
import { servedObject, servedText } from "../served.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace } from "../workspace.ts";

export const verb = declare({
  options: {
    model: modelOption,
    drain: drainOption,
    "keep-old": keepOldOption,
    watch: watchOption,
    timeout: verdictTimeoutOption,
    "lock-wait": lockWaitOption,
    "event-log": eventLogOption,
    ...operationOptions,
  },
  ...otherStacks,
  run: (call) =>
    forEachStack(call, async (stack, reporter) => {
      const { args, signal } = call;
      const { model, keepOld, drain: drainSeconds, watch: watchSeconds, lockWait } = args;
      const workspace = await openWorkspace({ ...args, stack });
      showEngineChoice(reporter, workspace.engineChoice);
      await refusePretendedGuests(workspace);
      const patience = args.timeout === undefined ? {} : { verdictMs: args.timeout * 1000 };
      const options = {
        model,
        keepOld,
        drainSeconds,
        watchSeconds,
        ...patience,
        operation: operationOptionsFrom(args),
      };
      const served = await whileLocked(workspace, { verb: "up", reporter, lockWait, signal }, (lock) =>
        withUsageIfFull(workspace.session, () => bringUp(workspace, reporter, { ...options, lock, signal })),
      );
      const { timings } = reporter;
      reporter.result(servedObject(workspace, served, timings), servedText(workspace, served, timings));
    }),
});
