import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { byClock, ClockEnded, now, sleep } from "../../../src/cloud/clock/clock.ts";
import { MovableClock } from "../../../src/cloud/clock/movable-clock.ts";

let clock: MovableClock;
const frozen = (at = 0) => {
  clock = new MovableClock();
  clock.restore({ frozenAt: at });
  return clock;
};
afterEach(() => clock.end());

describe("a frozen clock", () => {
  it("calls what waits in the order of its times, each at its own, and at equal times in the order of the calls", async () => {
    const spans = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(spans, spans, async (waits, moves) => {
        frozen();
        const met: [index: number, at: number][] = [];
        await byClock(clock, async () => {
          for (const [index, ms] of waits.entries()) clock.after(ms, () => met.push([index, now()]));
          for (const move of moves) await clock.advance(move);
        });
        const end = moves.reduce((sum, move) => sum + move, 0);
        const due = waits.map((ms, index) => [index, ms] as [number, number]).filter(([, ms]) => ms <= end);
        expect(met).toEqual(moves.length === 0 ? [] : due.toSorted(([, a], [, b]) => a - b));
        expect(clock.now()).toBe(end);
      }),
      { numRuns: 100 },
    );
  });

  it("also calls what begins to wait on the way, before what is due later", async () => {
    frozen(1000);
    const seen: string[] = [];
    const chain = async (name: string, ms: number) => {
      for (let step = 1; step <= 3; step++) {
        await sleep(ms);
        seen.push(`${name}${step} at ${now() - 1000}`);
      }
    };
    const both = byClock(clock, () => Promise.all([chain("a", 10), chain("b", 15)]));
    await clock.advance(29);
    expect(seen).toEqual(["a1 at 10", "b1 at 15", "a2 at 20"]);
    await Promise.all([clock.advance(1), clock.advance(15)]); // moves follow one another
    await both;
    expect(seen.slice(3)).toEqual(["b2 at 30", "a3 at 30", "b3 at 45"]);
  });

  it("goes to what is next, and stays where nothing is", async () => {
    frozen();
    expect(await clock.advanceToNext()).toBe(false);
    clock.after(86_400_000, () => undefined);
    const takeBack = clock.after(5, () => undefined);
    takeBack();
    expect(await clock.advanceToNext()).toBe(true);
    expect(clock.now()).toBe(86_400_000);
    expect(clock.waiting).toBe(0);
  });

  it("tells whoever waits of its end, and who comes later", async () => {
    frozen();
    const waiting = byClock(clock, () => sleep(1));
    clock.end();
    await expect(waiting).rejects.toThrow(ClockEnded);
    await expect(byClock(clock, () => sleep(1))).rejects.toThrow(ClockEnded);
  });
});

describe("a clock that goes by itself", () => {
  it("goes on from where it was frozen, and calls what was waiting meanwhile", async () => {
    frozen(5000);
    const called = new Promise<number>((resolve) => clock.after(20, () => resolve(clock.now())));
    clock.resume();
    const at = await called;
    expect(at).toBeGreaterThanOrEqual(5020);
    expect(at).toBeLessThan(Date.now() / 2);
    expect(clock.state).toEqual({ aheadMs: expect.any(Number) });
  });

  it("is ahead by as much as it was moved", async () => {
    clock = new MovableClock();
    const called: string[] = [];
    clock.after(3_600_000, () => called.push("hour"));
    await clock.advance(3_600_000);
    expect(called).toEqual(["hour"]);
    expect(clock.now() - Date.now()).toBeGreaterThanOrEqual(3_600_000 - 1);
    expect(clock.state).not.toHaveProperty("frozenAt");
  });
});
