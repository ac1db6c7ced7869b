import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Gate, gateSchema } from "../../src/guest/release-terms.ts";
import {
  type Conduct,
  conductBetween,
  differenceOf,
  medianMsOf,
  medianOf,
  misconductOf,
  shadowBetween,
} from "../../src/guest/releasing/compare.ts";
import { deathsBetween } from "../../src/guest/releasing/lasting-services.ts";
import { unaskedTrial } from "../../src/serving/frontend/trials/trial-figures.ts";

const gate = gateSchema.parse({});
const bounds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5];

/** What answers that took so many seconds come to. */
function conductOf(seconds: number[], failed = 0): Conduct {
  const counts = [...bounds, Number.POSITIVE_INFINITY].map(
    (upper, at) => seconds.filter((one) => one <= upper && one > (bounds[at - 1] ?? -1)).length,
  );
  return { answered: seconds.length - failed, failed, latency: { bounds, counts } };
}
const times = (count: number, seconds: number) => new Array<number>(count).fill(seconds);

describe("the median of a histogram", () => {
  it("is in the bucket in which the median of its values is, whatever they are", () => {
    const values = fc.array(fc.double({ min: 0, max: 0.4, noNaN: true }), { minLength: 20, maxLength: 200 });
    fc.assert(
      fc.property(values, (seconds) => {
        const exact = medianOf(seconds) as number;
        const bucket = bounds.findIndex((upper) => exact <= upper);
        const found = (medianMsOf(conductOf(seconds)) as number) / 1000;
        expect(found).toBeGreaterThanOrEqual((bounds[bucket - 1] ?? 0) - 1e-9);
        expect(found).toBeLessThanOrEqual((bounds[bucket] as number) + 1e-9);
      }),
    );
  });

  it("is none of too few answers", () => {
    expect(medianMsOf(conductOf(times(19, 0.01)))).toBeUndefined();
    expect(medianOf([])).toBeUndefined();
  });
});

describe("what was asked between two looks", () => {
  it("is the difference, and all of it after a frontend began anew", () => {
    const before = conductOf(times(30, 0.0005));
    const now = conductOf([...times(30, 0.0005), ...times(40, 0.03)], 4);
    expect(conductBetween(before, now)).toEqual({ ...conductOf(times(40, 0.03)), answered: 36, failed: 4 });
    expect(conductBetween(now, before)).toEqual(before);
    expect(conductBetween(undefined, now)).toEqual(now);
    expect(conductBetween(before, undefined)).toMatchObject({ answered: 0, failed: 0 });
  });
});

describe("a version that is watched", () => {
  const before = conductOf(times(100, 0.004));
  const judged = (now: Conduct, then = before, lately = conductOf([]), beside = conductOf([])) =>
    misconductOf("m 2", now, { before: then, lately, beside }, gate);

  it.each([
    ["does as well", conductOf(times(100, 0.004))],
    ["was asked by nobody", conductOf([])],
    ["failed twice, which may have any reason", conductOf(times(10, 0.004), 2)],
    ["is slower, and fast still", conductOf(times(100, 0.015))],
  ])("%s", (_what, now) => {
    expect(judged(now)).toBeUndefined();
  });

  it("fails by its failures, unless what served before had as many", () => {
    const now = conductOf(times(100, 0.004), 5);
    expect(judged(now)).toBe("5 of 100 answers of m 2 are failures: 5 %, 1 % are allowed");
    expect(judged(now, conductOf(times(100, 0.004), 6))).toBeUndefined();
  });

  it("fails by its time beside what served before", () => {
    const slow = conductOf(times(100, 0.09));
    expect(judged(slow)).toMatch(
      /^m 2 takes \d+ ms, what served before 3\.\d+ ms: at most 3 times as long is allowed$/,
    );
    expect(judged(slow, conductOf(times(100, 0.08)))).toBeUndefined();
    expect(judged(slow, conductOf(times(3, 0.004)))).toBeUndefined();
    // the host was as slow while the release was on its way
    expect(judged(slow, before, conductOf(times(30, 0.045)))).toBeUndefined();
    expect(judged(slow, before, conductOf(times(30, 0.008)))).toMatch(/^m 2 takes/);
    expect(judged(slow, before, conductOf(times(3, 0.08)))).toMatch(/^m 2 takes/);
    // what it is on trial beside became as slow meanwhile
    expect(judged(slow, before, conductOf([]), conductOf(times(30, 0.045)))).toBeUndefined();
    expect(judged(slow, before, conductOf([]), conductOf(times(30, 0.008)))).toMatch(/^m 2 takes/);
  });
});

describe("a shadow", () => {
  const { shadow } = unaskedTrial({ name: "m", version: "2" });
  const judged = (compared: number, differing: number, thresholds: Partial<Gate>, largest?: number) =>
    differenceOf("m 2", { compared, differing, dropped: 0, largest }, { ...gate, ...thresholds });

  it("is judged by what was compared since it began, and by how far it is from what is live now", () => {
    const before = { ...shadow, asked: 10, failed: 2, differing: 8, largestDifferences: { 1: 0.3 } };
    const now = { ...shadow, asked: 40, failed: 3, differing: 9, dropped: 5, largestDifferences: { 1: 0.3, 7: 0.1 } };
    expect(shadowBetween(before, now, "7")).toEqual({ compared: 29, differing: 1, dropped: 5, largest: 0.1 });
    const all = { compared: 37, differing: 9, dropped: 5 };
    expect(shadowBetween(undefined, now, "1")).toEqual({ ...all, largest: 0.3 });
    // a frontend that began anew meanwhile
    expect(shadowBetween({ ...now, asked: 41 }, now, "8")).toEqual({ ...all, largest: undefined });
  });

  it.each<[string, number, number, Partial<Gate>, number | undefined]>([
    ["of which nothing is asked", 100, 100, {}, 5],
    ["that was compared with nothing", 0, 0, { shadowDiffering: 0, shadowLargestDifference: 0 }, undefined],
    ["that differs as much as it may", 100, 5, { shadowDiffering: 0.05, shadowLargestDifference: 0.2 }, 0.2],
    ["that differed twice, which may be chance", 4, 2, { shadowDiffering: 0.05 }, 0.2],
  ])("%s passes", (_what, compared, differing, thresholds, largest) => {
    expect(judged(compared, differing, thresholds, largest)).toBeUndefined();
  });

  it("fails by the share of its answers that differ, and by one that is too far away", () => {
    expect(judged(100, 6, { shadowDiffering: 0.05 })).toMatch(
      /^6 of 100 answers of m 2 differ .* 6 %, 5 % are allowed$/,
    );
    expect(judged(100, 1, { shadowDiffering: 0 })).toMatch(/^1 of 100 answers/);
    expect(judged(100, 1, { shadowLargestDifference: 0.2 }, 0.21)).toMatch(/^an answer of m 2 is 0.21 from the live/);
  });
});

describe("units that die", () => {
  it("are forgiven once", () => {
    const deaths = (a: number, b: number) => new Map(Object.entries({ a: { count: a }, b: { count: b } }));
    const since = (a: number, b: number) => deathsBetween(deaths(3, 0), deaths(a, b));
    expect(since(4, 0)).toEqual({ times: 1, problem: undefined });
    expect(since(5, 0)).toEqual({ times: 2, problem: "a died 2 times" });
    expect(since(4, 1)).toEqual({ times: 2, problem: "a and b died 2 times" });
    expect(since(0, 0)).toEqual({ times: 0, problem: undefined });
  });
});
