import { SlipwayError } from "../../common/errors.ts";
import { bringRelease } from "../host-verdict.ts";
import { withUsageIfFull } from "../lack-of-room.ts";
import { whileLocked } from "../locked.ts";
import { lockWaitOption, modelOption } from "../options.ts";
import { prepareRelease } from "../prepared-release.ts";
import { refusePretendedGuests } from "../pretended-guests.ts";
import { stackOutputs } from "../stack-outputs.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace } from "../workspace.ts";

/**
 * Publishes payload and model without making anything: what `pulumi up` typed by hand needs first. Hosts that run already take it
 * over through a gate of their own, and go back where it does not pass.
 */
export const verb = declare({
  words: { action: ["push"] },
  options: { model: modelOption, "lock-wait": lockWaitOption },
  run: async ({ args, reporter, signal }) => {
    if ((args as { action?: unknown }).action !== "push") {
      throw new SlipwayError("E_USAGE", "`payload` knows one action", { hint: "Run `slipway payload push [stack]`." });
    }
    const workspace = await openWorkspace(args);
    const { session, stack, engine, reference } = workspace;
    const release = await whileLocked(
      workspace,
      { verb: "payload push", reporter, lockWait: args.lockWait, signal },
      async (lock) => {
        const wanted = { given: args.model, kind: "push", lock, signal } as const;
        const { delivery, staged } = await prepareRelease(workspace, reporter, wanted);
        const up = stackOutputs.safeParse(await engine.outputs(reference));
        if (delivery.bring !== undefined && up.success) await refusePretendedGuests(workspace);
        await lock.requireHeld();
        await staged.publish();
        if (up.success) {
          const delivered = { delivery, reporter, signal };
          await withUsageIfFull(session, () => bringRelease(workspace, staged.manifest, up.data, delivered));
        }
        return staged;
      },
    );
    const { manifest, changed, sourceUrl } = release;
    const { payload, models, sequence } = manifest;
    const [model] = models.map(({ name, version, digest }) => ({ name, version, digest }));
    reporter.result(
      { ok: true, stack, changed, sequence, payload: payload.digest, model, sourceUrl, timings: reporter.timings },
      [
        `${stack} has published release ${sequence}${changed ? "" : ", as before"}: ${model?.name} version ${model?.version}`,
        `next: \`pulumi up\` and \`slipway attach ${stack}\`, or \`slipway up ${stack}\``,
      ].join("\n"),
    );
  },
});
