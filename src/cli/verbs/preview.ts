import { explainPlan, summary } from "../engine-progress.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace, requireOwnCloud } from "../workspace.ts";

export const verb = declare({
  options: {},
  run: async ({ args, reporter, signal }) => {
    const workspace = await openWorkspace(args);
    const { engine, reference, stack } = workspace;
    await requireOwnCloud(workspace);
    const plan: string[] = [];
    const result = await reporter.phase("preview", `plan for ${stack}`, () =>
      engine.preview(reference, { onEvent: explainPlan((...lines) => plan.push(...lines)), signal }),
    );
    const text = [...plan, summary(result.changes)].join("\n");
    reporter.result(
      { ok: true, stack, engine: engine.kind, changes: result.changes, plan, timings: reporter.timings },
      text,
    );
  },
});
