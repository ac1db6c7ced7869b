import { expect, it } from "vitest";
import { digestOf } from "../../src/common/digest.ts";
import type { ReleaseReport } from "../../src/guest/release-progress.ts";
import { FAILING_BEFORE, failingAmong } from "../../src/guest/releasing/failing-already.ts";

const NOW = Date.parse("2026-01-01T12:00:00Z");

/** A runtime whose last death was so many seconds ago. */
const died = (secondsAgo: number, count = 1) => ({ count, lastAt: NOW - secondsAgo * 1000 });
const lasts = { count: 0, lastAt: undefined };

/** A release that ended so many seconds ago. */
function ended(
  secondsAgo: number,
  result: ReleaseReport["result"],
  figures: ReleaseReport["figures"] = {},
): ReleaseReport {
  const digest = digestOf("m");
  return {
    sequence: 1,
    payload: digest,
    model: { name: "m", version: "1", digest },
    result,
    phase: "settle",
    figures,
    began: new Date(NOW - secondsAgo * 1000 - 3000).toISOString(),
    ms: { fetch: 1000, load: 2000 },
  };
}

it("what serves fails where two runtimes died lately, or the only one twice", () => {
  const failing = (...runtimes: Parameters<typeof failingAmong>[0]) => failingAmong(runtimes, [], NOW);
  expect(failing(died(5), died(30))).toBe(2);
  expect(failing(died(5), died(5), lasts, died(1))).toBe(3);
  expect(failing(died(5), lasts)).toBe(0);
  expect(failing(died(5, 9), died(300))).toBe(0);
  expect(failing(died(5, 2))).toBe(1);
  expect(failing(died(5))).toBe(0);
  expect(failing()).toBe(0);
});

it("deaths that a release brought about are its own", () => {
  const runtimes = [died(20), died(18)];
  expect(failingAmong(runtimes, [ended(17, "passed")], NOW)).toBe(0);
  expect(failingAmong(runtimes, [ended(21, "passed")], NOW)).toBe(2);
  // what failed may have taken its runtimes down a moment after its end
  expect(failingAmong(runtimes, [ended(21, "kept"), ended(21, "passed")], NOW)).toBe(0);
  expect(failingAmong(runtimes, [ended(31, "kept"), ended(31, "passed")], NOW)).toBe(2);
  // but not once another one has passed its watch
  const watched = { ...ended(21, "passed"), ms: { fetch: 1000, watch: 2000 } };
  expect(failingAmong(runtimes, [ended(25, "kept"), ended(25, "passed"), watched], NOW)).toBe(2);
  expect(failingAmong(runtimes, [watched, ended(21, "kept"), ended(21, "passed")], NOW)).toBe(0);
});

it("a release after one that failed under it finds it failing still, for a while", () => {
  const kept = (secondsAgo: number) => [ended(secondsAgo, "kept", { [FAILING_BEFORE]: 2 }), ended(1, "passed")];
  expect(failingAmong([died(3), died(2)], kept(2), NOW)).toBe(2);
  expect(failingAmong([died(300), lasts], kept(90), NOW)).toBe(0);
});
