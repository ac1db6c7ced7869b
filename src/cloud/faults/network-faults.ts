import { after, now } from "../clock/clock.ts";
import type { NetworkingPlan } from "../network/dataplane.ts";
import type { ArmedFaults } from "./armed.ts";
import { ledger } from "./ledger.ts";

/** The plan with the faults that are in effect, and when the last of them ends: milliseconds since 1970. */
function planWithFaults(armed: ArmedFaults, plan: NetworkingPlan): { plan: NetworkingPlan; until: number | undefined } {
  let altered = plan;
  let until: number | undefined;
  for (const fault of ledger) {
    const struck = fault.plan === undefined ? undefined : armed.find(fault);
    const last = struck?.firings.at(-1);
    if (fault.plan === undefined || struck === undefined || last === undefined) continue;
    const end = Date.parse(last.at) + struck.delayMs;
    if (end <= now()) continue;
    altered = fault.plan(altered);
    until = Math.max(until ?? 0, end);
  }
  return { plan: altered, until };
}

/** The plans of a cloud that may have faults; when one that is in effect ends, the cloud is told to look again. */
export class FaultyPlans {
  readonly #armed: ArmedFaults;
  readonly #lookAgain: () => void;
  #takeBack: () => void = () => undefined;

  constructor(armed: ArmedFaults, lookAgain: () => void) {
    this.#armed = armed;
    this.#lookAgain = lookAgain;
  }

  current(healthy: NetworkingPlan): NetworkingPlan {
    const { plan, until } = planWithFaults(this.#armed, healthy);
    this.close();
    if (until !== undefined) this.#takeBack = after(until - now(), this.#lookAgain);
    return plan;
  }

  close(): void {
    this.#takeBack();
  }
}
