import { SlipwayError } from "../../common/errors.ts";
import type { Traffic } from "../../guest/release-terms.ts";
import { deployModel } from "../deploy-model.ts";
import { givenModel } from "../given-model.ts";
import { whileLocked } from "../locked.ts";
import { allowNewInputsOption, lockWaitOption, modelOption, watchOption } from "../options.ts";
import { tellReleased } from "../released.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace } from "../workspace.ts";

const percent = { type: "number", requiresArg: true } as const;

export const verb = declare({
  options: {
    model: modelOption,
    payload: { type: "boolean", default: false, describe: "release the software of the hosts as well" },
    canary: {
      ...percent,
      describe: "let the model answer this share of the requests, in percent, beside the one that serves",
    },
    shadow: { ...percent, describe: "ask the model besides for this share of the requests, and compare its answers" },
    watch: watchOption,
    "lock-wait": lockWaitOption,
    "allow-new-inputs": allowNewInputsOption,
    force: { type: "boolean", default: false, describe: "release what serves already once more, and end a trial" },
  },
  run: async ({ args, reporter, signal }) => {
    const trial = trialOf(args);
    const workspace = await openWorkspace(args);
    const { payload, watch: watchSeconds, force, allowNewInputs, lockWait } = args;
    const model = () => givenModel(workspace, reporter, args.model, signal);
    const { checks, ...released } = await whileLocked(
      workspace,
      { verb: "deploy", reporter, lockWait, signal },
      (lock) =>
        deployModel(workspace, reporter, { model, payload, trial, watchSeconds, force, allowNewInputs, lock, signal }),
    );
    tellReleased(workspace, reporter, released, checks);
  },
});

function trialOf({
  canary,
  shadow,
}: {
  canary?: number | undefined;
  shadow?: number | undefined;
}): Traffic | undefined {
  const share = canary ?? shadow;
  if (share === undefined) return undefined;
  if (canary !== undefined && shadow !== undefined) {
    throw new SlipwayError("E_USAGE", "--canary and --shadow exclude each other", { hint: "Choose one of them." });
  }
  if (share > 100) throw new SlipwayError("E_USAGE", `${share} % is more than all`, { hint: "Name 0 to 100 percent." });
  return { mode: canary === undefined ? "shadow" : "canary", percent: share };
}
