import { SlipwayError } from "../../common/errors.ts";
import { deployModel } from "../deploy-model.ts";
import { whileLocked } from "../locked.ts";
import { allowNewInputsOption, lockWaitOption, watchOption } from "../options.ts";
import { tellReleased } from "../released.ts";
import { bringServedModel, servedModel } from "../served-model.ts";
import { endTrialAs } from "../trial-end.ts";
import { type Call, verb as declare } from "../verb.ts";
import { openWorkspace } from "../workspace.ts";

const options = {
  from: {
    type: "string",
    requiresArg: true,
    describe: "the stack whose model is released to this one; without it, the model on trial takes over",
  },
  watch: watchOption,
  "allow-new-inputs": allowNewInputsOption,
  "lock-wait": lockWaitOption,
} as const;

export const verb = declare({
  options,
  run: async (call) => {
    const { from } = call.args;
    await (from === undefined ? endTrialAs("promote", call) : promoteFrom(from, call));
  },
});

/** Releases what another stack serves to this one, through its gates, as a deployment does. */
async function promoteFrom(from: string, { args, reporter, signal }: Call<typeof options>): Promise<void> {
  const workspace = await openWorkspace(args);
  if (from === workspace.stack) {
    throw new SlipwayError("E_USAGE", `${from} cannot be promoted to itself`, {
      hint: "Name another stack: `slipway promote production --from development`.",
    });
  }
  const source = await openWorkspace({ ...args, stack: from });
  const { watch: watchSeconds, allowNewInputs, lockWait } = args;
  const { checks, ...released } = await whileLocked(
    workspace,
    { verb: "promote", reporter, lockWait, signal },
    async (lock) => {
      const served = await servedModel(source);
      const { name } = workspace.config.model;
      return deployModel(workspace, reporter, {
        model: () => bringServedModel(source, reporter, served, { name, signal }),
        from: { stack: from, version: served.identity.version },
        payload: false,
        trial: undefined,
        watchSeconds,
        allowNewInputs,
        force: false,
        lock,
        signal,
      });
    },
  );
  tellReleased(workspace, reporter, released, checks);
}
