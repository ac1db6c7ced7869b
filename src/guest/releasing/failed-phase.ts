import { stepsBeforeRestart } from "../converge.ts";
import { type ReleasePhase, releasePhase } from "../release-progress.ts";

/** Steps whose failure leaves the running services as they were. */
export const stepsThatLeaveServicesAlone = ["layers", ...stepsBeforeRestart];

const phases: Record<string, ReleasePhase> = {
  configuration: "fetch",
  layers: "fetch",
  payload: "fetch",
  model: "fetch",
  start: "load",
};

/** The phase of a release that a journalled step belongs to; undefined for one that may come in any. */
export function phaseOf(step: string): ReleasePhase | undefined {
  return phases[step] ?? releasePhase.safeParse(step).data;
}
