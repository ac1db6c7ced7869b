import type { WorkerHealth } from "./registration.ts";

/** What one look at a worker came to. */
export interface Look {
  /** Why it failed; undefined for a pass. */
  failure: string | undefined;
  at: Date;
}

/** A worker's health after another look. Failures up to `ignoreFailCount` in a row leave one that was passing as it is. */
export function healthAfter(
  known: WorkerHealth | undefined,
  { failure, at }: Look,
  { ignoreFailCount }: { ignoreFailCount: number },
): WorkerHealth {
  const time = at.toISOString();
  if (failure === undefined) {
    const { reason: _, ...rest } = known ?? {};
    const since = known?.state === "passing" ? known.since : time;
    return { ...rest, state: "passing", since, firstPass: known?.firstPass ?? time, lastPass: time, failures: 0 };
  }
  const failures = (known?.failures ?? 0) + 1;
  const state = failures > ignoreFailCount ? "failing" : (known?.state ?? "passing");
  return {
    ...known,
    state,
    since: known?.state === state ? known.since : time,
    firstFail: known?.firstFail ?? time,
    lastFail: time,
    failures,
    reason: failure,
  };
}

/** What is to be told of a worker: when it goes down, each period for which it stays down, and when it comes back. */
export function alertDue(
  health: WorkerHealth,
  { alertPeriodHours }: { alertPeriodHours: number },
): "down" | "up" | undefined {
  if (health.state === "passing") return health.alerted === undefined ? undefined : "up";
  if (health.alerted === undefined) return "down";
  const told = Date.parse(health.alerted);
  const seen = Date.parse(health.lastFail ?? health.alerted);
  return seen - told >= alertPeriodHours * 3_600_000 ? "down" : undefined;
}

/** The health once an alert is told. */
export function afterAlert(health: WorkerHealth, alert: "down" | "up", at: Date): WorkerHealth {
  if (alert === "down") return { ...health, alerted: at.toISOString() };
  const { alerted: _, ...rest } = health;
  return rest;
}
