import { lockWaitOption, watchOption } from "../options.ts";
import { endTrialAs } from "../trial-end.ts";
import { verb as declare } from "../verb.ts";

export const verb = declare({
  options: { watch: watchOption, "lock-wait": lockWaitOption },
  run: (call) => endTrialAs("abort", call),
});
