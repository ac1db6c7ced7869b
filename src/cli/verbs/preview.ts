import { showEngineChoice, showMessages, summary } from "../engine-progress.ts";
import { eventLogOption, operationOptions, operationOptionsFrom } from "../options.ts";
import { Plan } from "../plan/plan.ts";
import { PreviewJson } from "../plan/plan-json.ts";
import { planText } from "../plan/plan-text.ts";
import { plannedRenewal } from "../plan-generations.ts";
import { plainPage, stdoutPage } from "../ui/page.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace, requireOwnCloud } from "../workspace.ts";

export const verb = declare({
  options: { "event-log": eventLogOption, ...operationOptions },
  run: async ({ args, reporter, signal }) => {
    const workspace = await openWorkspace(args);
    showEngineChoice(reporter, workspace.engineChoice);
    const { engine, reference, stack } = workspace;
    await requireOwnCloud(workspace);
    const renewal = await plannedRenewal(workspace);
    const plan = new Plan();
    const json = new PreviewJson();
    const messages = showMessages((line) => reporter.note(line));
    const result = await reporter.phase("preview", `plan for ${stack}`, () =>
      engine.preview(reference, {
        ...operationOptionsFrom(args),
        onEvent: (event) => {
          messages(event);
          plan.take(event);
          json.take(event);
        },
        signal,
      }),
    );
    reporter.result(
      {
        ok: true,
        stack,
        engine: engine.kind,
        changes: result.changes,
        plan: [...planText(plan, plainPage), ...renewal],
        renewal,
        timings: reporter.timings,
        ...json.digest,
      },
      [...planText(plan, stdoutPage()), ...renewal, summary(result.changes, "planned")].join("\n"),
    );
  },
});
