import { whileLocked } from "../locked.ts";
import { lockWaitOption, watchOption } from "../options.ts";
import { tellReleased } from "../released.ts";
import { scaleFrom, scaleServices } from "../scale-services.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace } from "../workspace.ts";

export const verb = declare({
  options: { watch: watchOption, "lock-wait": lockWaitOption },
  words: { first: "stacks" },
  texts: {
    first: "the stack; or how many of what: worker=3, runtime=2",
    second: "how many of what",
    third: "how many of what",
  },
  run: async ({ args, reporter, signal }) => {
    const { first, second, third } = args as { first?: string; second?: string; third?: string };
    const { stack, scale } = scaleFrom([first, second, third].filter((word) => word !== undefined));
    const workspace = await openWorkspace({ ...args, stack: stack ?? args.stack });
    const { watch: watchSeconds, lockWait } = args;
    const released = await whileLocked(workspace, { verb: "scale", reporter, lockWait, signal }, (lock) =>
      scaleServices(workspace, reporter, scale, { lock, watchSeconds, signal }),
    );
    tellReleased(workspace, reporter, released);
  },
});
