import { withStackLock } from "../../release/stack-lock.ts";
import { showEngineChoice, showMessages, summary } from "../engine-progress.ts";
import { eventLogOption, targetOption } from "../options.ts";
import { Plan } from "../plan/plan.ts";
import { planText } from "../plan/plan-text.ts";
import { plainPage, stdoutPage } from "../ui/page.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace, requireOwnCloud } from "../workspace.ts";

export const verb = declare({
  options: {
    "preview-only": { type: "boolean", default: false, describe: "show what would be found, and save nothing" },
    target: targetOption,
    "event-log": eventLogOption,
    "clear-pending-creates": {
      type: "boolean",
      default: false,
      describe: "drop creations that were interrupted, whatever became of them",
    },
  },
  run: async ({ args, reporter, signal }) => {
    const { target, previewOnly, clearPendingCreates } = args as typeof args & {
      previewOnly: boolean;
      clearPendingCreates: boolean;
    };
    const workspace = await openWorkspace(args);
    showEngineChoice(reporter, workspace.engineChoice);
    const { engine, reference, stack, stackHome } = workspace;
    await requireOwnCloud(workspace);
    const found = new Plan({ ofRefresh: true });
    const messages = showMessages((line) => reporter.note(line));
    const look = () =>
      reporter.phase("refresh", `state of ${stack}`, () =>
        engine.refresh(reference, {
          onEvent: (event) => {
            messages(event);
            found.take(event);
          },
          signal,
          previewOnly,
          clearPendingCreates,
          ...(target === undefined ? {} : { targets: target.map(String) }),
        }),
      );
    const { changes } = previewOnly ? await look() : await withStackLock(stackHome, `refresh ${stack}`, look);
    reporter.result(
      {
        ok: true,
        stack,
        engine: engine.kind,
        previewOnly,
        changes,
        found: planText(found, plainPage),
        timings: reporter.timings,
      },
      [...planText(found, stdoutPage()), summary(changes)].join("\n"),
    );
  },
});
