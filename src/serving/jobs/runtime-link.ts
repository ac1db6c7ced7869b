import { setTimeout as sleep } from "node:timers/promises";
import { RuntimeError, type ServedModel } from "../routing/question.ts";
import type { Router } from "../routing/router.ts";

const LOOK_MS = 20;
const START_MS = 30_000;

/**
 * The model of this name, or the default one, as it serves; waits for a runtime that is being started.
 * Rejects with RuntimeError when none comes, and with the signal's reason.
 */
export async function awaitModel(
  router: Pick<Router, "findConnected">,
  name: string | undefined,
  signal: AbortSignal,
  waitMs = START_MS,
): Promise<ServedModel> {
  for (const until = performance.now() + waitMs; ; await sleep(LOOK_MS, undefined, { signal })) {
    const served = router.findConnected(name);
    if (served) return served;
    if (performance.now() > until) throw new RuntimeError("unavailable", `no runtime serves ${name ?? "a model"}`);
  }
}
