import type { Logger } from "pino";
import type { Router } from "./router.ts";

/** Logs which runtimes are there and what they serve. */
export function tellRuntimes(router: Router, log: Logger): void {
  const runtimes = router.runtimes.map(({ id, group, provider }) => ({ id, group, provider }));
  const models = router.models.map(({ model, live }) => ({ ...model, live }));
  log.info({ runtimes, models }, runtimes.length > 0 ? "runtimes connected" : "no runtime is connected");
}
