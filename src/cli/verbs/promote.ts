import { endTrial } from "../deploy-model.ts";
import { whileLocked } from "../locked.ts";
import { lockWaitOption, watchOption } from "../options.ts";
import { tellReleased } from "../released.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace } from "../workspace.ts";

export const verb = declare({
  options: { watch: watchOption, "lock-wait": lockWaitOption },
  run: async ({ args, reporter, signal }) => {
    const workspace = await openWorkspace(args);
    const { watch: watchSeconds, lockWait } = args as typeof args & { lockWait?: number };
    const released = await whileLocked(workspace, { verb: "promote", reporter, lockWait, signal }, (lock) =>
      endTrial(workspace, reporter, "promote", { lock, watchSeconds, signal }),
    );
    tellReleased(workspace, reporter, released);
  },
});
