import { describe, expect, it } from "vitest";
import { afterAlert, alertDue, healthAfter } from "../../../src/serving/workers/health.ts";
import type { WorkerHealth } from "../../../src/serving/workers/registration.ts";

const start = Date.parse("2026-01-01T00:00:00Z");

/** What is told over a row of looks, a minute apart; `.` passes, `x` fails. */
function told(
  looks: string,
  { ignoreFailCount = 0, alertPeriodHours = 1 } = {},
): { alerts: string[]; health: WorkerHealth } {
  let health: WorkerHealth | undefined;
  const alerts: string[] = [];
  for (const [minute, look] of [...looks].entries()) {
    const at = new Date(start + minute * 60_000);
    health = healthAfter(health, { failure: look === "x" ? `at ${minute}` : undefined, at }, { ignoreFailCount });
    const alert = alertDue(health, { alertPeriodHours });
    if (alert) {
      alerts.push(`${alert} ${minute}`);
      health = afterAlert(health, alert, at);
    }
  }
  return { alerts, health: health as WorkerHealth };
}

describe("a worker's health", () => {
  it("is told once when it goes down, once when it is back, and never while all is well", () => {
    expect(told("...xxx..x.").alerts).toEqual(["down 3", "up 6", "down 8", "up 9"]);
    expect(told("....").alerts).toEqual([]);
  });

  it("is told again after each alert period for which it stays down", () => {
    expect(told("x".repeat(200)).alerts).toEqual(["down 0", "down 60", "down 120", "down 180"]);
    expect(told("x".repeat(200), { alertPeriodHours: 2 }).alerts).toEqual(["down 0", "down 120"]);
  });

  it("does not change by failures in a row up to the count that is ignored", () => {
    expect(told("..xx.xx..", { ignoreFailCount: 2 }).alerts).toEqual([]);
    expect(told("..xxx.", { ignoreFailCount: 2 }).alerts).toEqual(["down 4", "up 5"]);
  });

  it("knows its first and last pass and failure, and since when it is as it is", () => {
    const at = (minute: number) => new Date(start + minute * 60_000).toISOString();
    expect(told(".x.xx").health).toMatchObject({
      state: "failing",
      since: at(3),
      firstPass: at(0),
      lastPass: at(2),
      firstFail: at(1),
      lastFail: at(4),
      failures: 2,
      reason: "at 4",
    });
    expect(told("x..").health).toMatchObject({ state: "passing", since: at(1), failures: 0 });
    expect(told("x..").health.reason).toBeUndefined();
  });
});
