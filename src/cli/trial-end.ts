import { endTrial, type TrialEnd } from "./deploy-model.ts";
import { whileLocked } from "./locked.ts";
import type { lockWaitOption, watchOption } from "./options.ts";
import { tellReleased } from "./released.ts";
import type { Call } from "./verb.ts";
import { openWorkspace } from "./workspace.ts";

/** Ends the trial on a stack in this way, and tells the result. */
export async function endTrialAs(
  kind: TrialEnd,
  {
    args,
    reporter,
    signal,
  }: Pick<Call<{ watch: typeof watchOption; "lock-wait": typeof lockWaitOption }>, "args" | "reporter" | "signal">,
): Promise<void> {
  const workspace = await openWorkspace(args);
  const { watch: watchSeconds, lockWait } = args;
  const released = await whileLocked(workspace, { verb: kind, reporter, lockWait, signal }, (lock) =>
    endTrial(workspace, reporter, kind, { lock, watchSeconds, signal }),
  );
  tellReleased(workspace, reporter, released);
}
