import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evenly } from "../../../src/serving/routing/trials/spread.ts";

describe("a share of the calls", () => {
  it("is the whole number below or above it of any calls in a row, whatever the percent", () => {
    const percents = fc.oneof(
      fc.double({ min: 0, max: 100, noNaN: true }),
      fc.constantFrom(0, 0.1, 1, 10, 33.3, 50, 99.9, 100),
    );
    fc.assert(
      fc.property(percents, fc.nat(3000), fc.integer({ min: 1, max: 2000 }), (percent, before, length) => {
        const isNext = evenly(percent);
        for (let call = 0; call < before; call++) isNext();
        let taken = 0;
        for (let call = 0; call < length; call++) if (isNext()) taken++;
        expect(Math.abs(taken - (length * percent) / 100)).toBeLessThan(1 + 1e-9);
      }),
      { numRuns: 300 },
    );
  });

  it("does not drift away in a long time", () => {
    const isNext = evenly(0.1);
    let taken = 0;
    for (let call = 0; call < 1_000_000; call++) if (isNext()) taken++;
    expect(taken).toBe(1000);
  });
});
