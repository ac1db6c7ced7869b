import { SlipwayError } from "../../common/errors.ts";
import { whileLocked } from "../locked.ts";
import { lockWaitOption, watchOption } from "../options.ts";
import { tellReleased } from "../released.ts";
import { rollBack } from "../roll-back.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace } from "../workspace.ts";

export const verb = declare({
  options: { watch: watchOption, "lock-wait": lockWaitOption },
  texts: { release: "number of the release, as `slipway releases` has it; the one before unless given" },
  run: async ({ args, reporter, signal }) => {
    const wanted = sequenceOf((args as { release?: string }).release);
    const workspace = await openWorkspace(args);
    const { watch: watchSeconds, lockWait } = args;
    const released = await whileLocked(workspace, { verb: "rollback", reporter, lockWait, signal }, (lock) =>
      rollBack(workspace, reporter, wanted, { lock, watchSeconds, signal }),
    );
    tellReleased(workspace, reporter, released);
  },
});

function sequenceOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  if (/^[1-9]\d{0,8}\.[1-9]\d{0,8}$/.test(text)) {
    throw new SlipwayError("E_USAGE", `release ${text} was pushed to the host and is published nowhere`, {
      hint: "Push its commit again, or roll back to a release without a dot.",
    });
  }
  throw new SlipwayError("E_USAGE", `${text} is no release`, {
    hint: "Write it like `slipway rollback production 3`.",
  });
}
