import { withStackLock } from "../../release/stack-lock.ts";
import { detachAddress } from "../public-address.ts";
import { requireOutputs } from "../running-stack.ts";
import { verb as declare } from "../verb.ts";
import { bindToCloud, openWorkspace } from "../workspace.ts";

export const verb = declare({
  options: {},
  run: async ({ args, reporter }) => {
    const workspace = await openWorkspace(args);
    const { stack, stackHome } = workspace;
    const outputs = await requireOutputs(workspace);
    const detached = await withStackLock(stackHome, `detach ${stack}`, async () => {
      await bindToCloud(workspace);
      return reporter.phase("detach", `floating IP of ${stack}`, () => detachAddress(workspace, outputs));
    });
    const text =
      detached.length === 0
        ? `no address led to ${stack}`
        : `${detached.join(", ")} no longer leads to ${stack}; \`slipway attach ${stack}\` brings an address back`;
    reporter.result({ ok: true, stack, changed: detached.length > 0, detached, timings: reporter.timings }, text);
  },
});
