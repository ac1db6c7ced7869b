import { attachStack } from "../attach-stack.ts";
import { withUsageIfFull } from "../lack-of-room.ts";
import { whileLocked } from "../locked.ts";
import { lockWaitOption, modelOption, verdictTimeoutOption } from "../options.ts";
import { refusePretendedGuests } from "../pretended-guests.ts";
import { servedObject, servedText } from "../served.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace } from "../workspace.ts";

export const verb = declare({
  options: {
    model: {
      ...modelOption,
      describe: "the published model's folder, where it is not the configured one",
    },
    reuse: {
      type: "boolean",
      default: true,
      describe: "let a free floating IP of the project stand in for the stack's own, if that was deleted",
    },
    "lock-wait": lockWaitOption,
    timeout: verdictTimeoutOption,
  },
  run: async ({ args, reporter, signal }) => {
    const workspace = await openWorkspace(args);
    await refusePretendedGuests(workspace);
    const { model, reuse, timeout } = args;
    const served = await whileLocked(workspace, { verb: "attach", reporter, lockWait: args.lockWait, signal }, (lock) =>
      withUsageIfFull(workspace.session, () =>
        attachStack(workspace, reporter, {
          model,
          reuse,
          lock,
          signal,
          ...(timeout === undefined ? {} : { timeoutMs: timeout * 1000 }),
        }),
      ),
    );
    reporter.result(servedObject(workspace, served, reporter.timings), servedText(workspace, served, reporter.timings));
  },
});
