import { createInterface } from "node:readline/promises";
import { SlipwayError } from "../../common/errors.ts";
import { withStackLock } from "../../release/stack-lock.ts";
import { eventLogOption } from "../options.ts";
import { takeDown } from "../take-down.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace } from "../workspace.ts";

export const verb = declare({
  options: { "event-log": eventLogOption },
  run: async ({ args, reporter, signal }) => {
    const workspace = await openWorkspace(args);
    const { stack, stackHome } = workspace;
    if (!args.yes) await confirm(stack);
    await withStackLock(stackHome, `down ${stack}`, () => takeDown(workspace, reporter, signal));
    reporter.result(
      { ok: true, stack, timings: reporter.timings, leftovers: [] },
      `${stack} is gone; nothing with its tag is left`,
    );
  },
});

async function confirm(stack: string): Promise<void> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new SlipwayError("E_USAGE", `removing ${stack} must be confirmed`, { hint: "Add --yes." });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`Type the stack's name to remove ${stack}: `);
  terminal.close();
  if (answer.trim() !== stack) throw new SlipwayError("E_INTERRUPTED", `${stack} is left as it is`);
}
