import { confirmByName } from "../confirm.ts";
import { forEachStack, otherStacks } from "../each-stack.ts";
import { showEngineChoice } from "../engine-progress.ts";
import { whileLocked } from "../locked.ts";
import { drainOption, eventLogOption, lockWaitOption, refreshOption } from "../options.ts";
import { takeDown } from "../take-down.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace } from "../workspace.ts";

export const verb = declare({
  options: {
    refresh: refreshOption,
    "lock-wait": lockWaitOption,
    "event-log": eventLogOption,
    drain: drainOption,
    backup: {
      type: "string",
      requiresArg: true,
      normalize: true,
      describe:
        "fetch the host's models and jobs into this folder first, as one tar; where that fails, nothing is removed",
    },
    "keep-data": {
      type: "boolean",
      default: false,
      describe:
        "leave the stack's volumes and its container in the object store; a later `down` without it removes them",
    },
  },
  ...otherStacks,
  run: (call) =>
    forEachStack(call, async (name, reporter) => {
      const { args, signal } = call;
      const workspace = await openWorkspace({ ...args, stack: name });
      showEngineChoice(reporter, workspace.engineChoice);
      const { stack } = workspace;
      if (!args.yes) await confirmByName(stack, `removing ${stack}`, signal);
      const { refresh, lockWait, drain: drainSeconds, backup: folder, keepData } = args;
      const { backup, kept } = await whileLocked(workspace, { verb: "down", reporter, lockWait, signal }, (lock) =>
        takeDown(workspace, reporter, { refresh, lock, signal, drainSeconds, backup: folder, keepData }),
      );
      const { timings } = reporter;
      reporter.result(
        { ok: true, stack, engine: workspace.engine.kind, timings, leftovers: [], kept, ...(backup && { backup }) },
        [
          kept.length === 0
            ? `${stack} is gone; nothing with its tag is left`
            : `${stack} is gone but for its data:\n${kept.map((line) => `  ${line}`).join("\n")}`,
          ...(backup === undefined ? [] : [`its models and jobs are in ${backup.file}`]),
        ].join("\n"),
      );
    }),
});
