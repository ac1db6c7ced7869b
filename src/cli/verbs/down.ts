import { confirmByName } from "../confirm.ts";
import { showEngineChoice } from "../engine-progress.ts";
import { whileLocked } from "../locked.ts";
import { eventLogOption, lockWaitOption, refreshOption } from "../options.ts";
import { takeDown } from "../take-down.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace } from "../workspace.ts";

export const verb = declare({
  options: { refresh: refreshOption, "lock-wait": lockWaitOption, "event-log": eventLogOption },
  run: async ({ args, reporter, signal }) => {
    const workspace = await openWorkspace(args);
    showEngineChoice(reporter, workspace.engineChoice);
    const { stack } = workspace;
    if (!args.yes) await confirmByName(stack, `removing ${stack}`, signal);
    await whileLocked(workspace, { verb: "down", reporter, lockWait: args.lockWait, signal }, (lock) =>
      takeDown(workspace, reporter, { refresh: args.refresh, lock, signal }),
    );
    reporter.result(
      { ok: true, stack, engine: workspace.engine.kind, timings: reporter.timings, leftovers: [] },
      `${stack} is gone; nothing with its tag is left`,
    );
  },
});
