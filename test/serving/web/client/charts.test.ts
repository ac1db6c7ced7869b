import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { duration, linePath, lonePoints, scale, short, ticksUpTo } from "../../../../src/serving/web/client/plot.js";
import { quantile, ratesBetween } from "../../../../src/serving/web/client/rates.js";

/** Sorts values into buckets, the plain way. */
function histogramOf(bounds: number[], values: number[]) {
  const counts = [...bounds, Number.POSITIVE_INFINITY].map(
    (bound, at) =>
      values.filter((value) => value <= bound && value > (bounds[at - 1] ?? Number.NEGATIVE_INFINITY)).length,
  );
  return { bounds, counts };
}

describe("a quantile of a histogram", () => {
  const bounds = [0.001, 0.002, 0.005, 0.01, 0.1, 1];

  it("lies in the bucket of the value itself", () => {
    const values = fc.array(fc.double({ min: 0.00001, max: 0.99, noNaN: true }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(values, fc.constantFrom(0.5, 0.9, 0.99), (seconds, share) => {
        const exact = [...seconds].sort((a, b) => a - b)[Math.max(0, Math.ceil(share * seconds.length) - 1)] as number;
        const above = bounds.findIndex((bound) => exact <= bound);
        const found = quantile(histogramOf(bounds, seconds), share) as number;
        expect(found).toBeLessThanOrEqual((bounds[above] as number) * (1 + 1e-9));
        expect(found).toBeGreaterThanOrEqual((bounds[above - 1] ?? 0) * (1 - 1e-9));
      }),
    );
  });

  it("is as Prometheus' documentation interpolates, unknown without values, and the last bound above it", () => {
    expect(quantile({ bounds: [1, 2, 4], counts: [2, 4, 4, 0] }, 0.5)).toBeCloseTo(1.75, 12);
    expect(quantile({ bounds: [1, 2], counts: [0, 0, 0] }, 0.5)).toBeUndefined();
    expect(quantile({ bounds: [1, 2], counts: [0, 0, 5] }, 0.99)).toBe(2);
  });
});

describe("rates between two looks", () => {
  const look = (at: number, answered: number, rows: number, batches: number, counts: number[]) => ({
    at,
    predictions: { answered, failed: 0, rows, batches, inFlight: 0, rowsInFlight: 0 },
    latency: { bounds: [1, 2], counts },
  });

  it("are by the second, and by the batch", () => {
    const rates = ratesBetween(look(1000, 10, 100, 5, [10, 0, 0]), look(3000, 30, 160, 20, [30, 0, 0]));
    expect(rates).toEqual({ requests: 10, failures: 0, rows: 30, p50: 0.5, p99: 0.99, batchRows: 4 });
  });

  it("tell nothing of latency while nothing is asked", () => {
    const rates = ratesBetween(look(0, 3, 3, 1, [3, 0, 0]), look(1000, 3, 3, 1, [3, 0, 0]));
    expect(rates).toEqual({ requests: 0, failures: 0, rows: 0, p50: undefined, p99: undefined, batchRows: undefined });
  });

  it("are none where the host began to count anew, or no time passed", () => {
    expect(ratesBetween(look(0, 3, 3, 1, [3, 0, 0]), look(1000, 1, 1, 1, [1, 0, 0]))).toBeUndefined();
    expect(ratesBetween(look(5, 3, 3, 1, [3, 0, 0]), look(5, 3, 3, 1, [3, 0, 0]))).toBeUndefined();
  });
});

describe("a chart", () => {
  it("has round ticks from 0 to above its largest value, few of them", () => {
    expect(ticksUpTo(7, 3)).toEqual([0, 5, 10]);
    expect(ticksUpTo(0.3, 3)).toEqual([0, 0.1, 0.2, 0.3]);
    expect(ticksUpTo(0, 3)).toEqual([0, 1]);
    fc.assert(
      fc.property(fc.double({ min: 1e-9, max: 1e12, noNaN: true }), (largest) => {
        const ticks = ticksUpTo(largest, 3);
        expect(ticks[0]).toBe(0);
        expect(ticks.at(-1)).toBeGreaterThanOrEqual(largest * (1 - 1e-6));
        expect(ticks.length).toBeGreaterThanOrEqual(2);
        expect(ticks.length).toBeLessThanOrEqual(4);
      }),
    );
  });

  it("draws a line with gaps, and points by themselves", () => {
    const points = [1, 2, undefined, 4, undefined, 6, 7].map((y, x) => ({ x, y }));
    const toX = scale(0, 6, 0, 60);
    const toY = scale(0, 10, 100, 0);
    expect(linePath(points, toX, toY)).toBe("M0 90L10 80M30 60M50 40L60 30");
    expect(lonePoints(points)).toEqual([{ x: 3, y: 4 }]);
  });

  it("writes numbers in few digits", () => {
    expect([0, 0.01234, 1.999, 12.34, 999, 1234, 12_345, 2_500_000, undefined].map(short)).toEqual([
      "0",
      "0.0123",
      "2",
      "12.3",
      "999",
      "1234",
      "12.3 k",
      "2.5 M",
      "–",
    ]);
    expect([0.00123, 0.9, 1.5].map(duration)).toEqual(["1.23 ms", "900 ms", "1.5 s"]);
  });
});
