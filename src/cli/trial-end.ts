import { endTrial, type TrialEnd } from "./deploy-model.ts";
import { whileLocked } from "./locked.ts";
import { lockWaitOption, watchOption } from "./options.ts";
import { tellReleased } from "./released.ts";
import { verb as declare, type Verb } from "./verb.ts";
import { openWorkspace } from "./workspace.ts";

/** The verb that ends a trial in this way. */
export function trialEnd(kind: TrialEnd): Verb {
  return declare({
    options: { watch: watchOption, "lock-wait": lockWaitOption },
    run: async ({ args, reporter, signal }) => {
      const workspace = await openWorkspace(args);
      const { watch: watchSeconds, lockWait } = args;
      const released = await whileLocked(workspace, { verb: kind, reporter, lockWait, signal }, (lock) =>
        endTrial(workspace, reporter, kind, { lock, watchSeconds, signal }),
      );
      tellReleased(workspace, reporter, released);
    },
  });
}
