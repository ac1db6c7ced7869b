import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { modelCountersOf, modelCountsIn, persistCounters } from "../../../src/serving/metrics/counters.ts";
import { expositionOf } from "../../../src/serving/metrics/exposition.ts";
import { Meter, type Reading } from "../../../src/serving/metrics/meter.ts";
import { Totals, together } from "../../../src/serving/metrics/totals.ts";
import { kindsIn, samplesIn } from "./prometheus.ts";

describe("the text", () => {
  it("is what an independent parser reads as it was counted", () => {
    const label = fc.string({ unit: "grapheme", maxLength: 8 });
    // integers: sums of those are the same in any order
    const asked = fc.array(fc.tuple(label, fc.integer({ min: 0, max: 2000 })), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(asked, (observations) => {
        const meter = new Meter();
        const count = meter.counter({ name: "asked_total", help: 'a "help"\nof \\ two lines', labels: ["who"] });
        const size = meter.histogram({ name: "size", help: "h", labels: ["who"], buckets: [1, 10, 1000] });
        for (const [who, value] of observations) {
          count(who).add(value);
          size(who).observe(value);
        }
        const text = expositionOf(meter.takeCounts());
        const samples = samplesIn(text);
        const who = [...new Set(observations.map(([name]) => name))];
        const valuesOf = (name: string) => observations.filter(([one]) => one === name).map(([, value]) => value);
        const sum = (values: number[]) => values.reduce((all, value) => all + value, 0);
        const expected = (figure: (values: number[]) => number) =>
          who.map((name) => ({ labels: { who: name }, value: figure(valuesOf(name)) }));
        expect(kindsIn(text)).toEqual({ asked_total: "COUNTER", size: "HISTOGRAM" });
        expect(samples("asked_total")).toEqual(expected(sum));
        expect(samples("size_sum")).toEqual(expected(sum));
        expect(samples("size_count")).toEqual(expected((values) => values.length));
        const buckets = samples("size_bucket");
        for (const [le, bound] of [
          ["1", 1],
          ["10", 10],
          ["1000", 1000],
          ["+Inf", Number.POSITIVE_INFINITY],
        ] as const) {
          const below = expected((values) => values.filter((value) => value <= bound).length);
          expect(buckets.filter(({ labels }) => labels.le === le)).toEqual(
            below.map(({ labels, value }) => ({ labels: { ...labels, le }, value })),
          );
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe("what several processes count", () => {
  it("adds up to what one would have counted, however it is shared out and told", () => {
    const steps = fc.array(fc.tuple(fc.nat(2), fc.constantFrom("a", "b"), fc.nat(100), fc.boolean()), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(steps, (taken) => {
        const meters = [new Meter(), new Meter(), new Meter()];
        const totals = new Totals();
        const alone = new Meter();
        const family = { name: "n_total", help: "n", labels: ["k"] };
        const counters = meters.map((meter) => meter.counter(family));
        const single = alone.counter(family);
        for (const [process, label, count, tells] of taken) {
          counters[process]?.(label).add(count);
          single(label).add(count);
          if (tells) totals.absorb((meters[process] as Meter).takeCounts());
        }
        for (const meter of meters) totals.absorb(meter.takeCounts());
        const sorted = (readings: Reading[]) =>
          readings.flatMap(({ cells }) => cells.map(({ labels, value }) => `${labels} ${value}`)).sort();
        expect(sorted(totals.readings())).toEqual(sorted(alone.takeCounts()));
      }),
    );
  });

  it("is said once where all see the same, and told apart or added up else", async () => {
    const readings = await Promise.all(
      [1, 3].map((value) => {
        const meter = new Meter();
        meter.gauge({ name: "depth", help: "d", labels: [], combine: "max" }, () => [{ labels: [], value }]);
        meter.gauge({ name: "under_way", help: "u", labels: [] }, async () => [{ labels: [], value }]);
        meter.gauge({ name: "broken", help: "b", labels: [] }, () => Promise.reject(new Error("away")));
        meter.gauge({ name: "stuck", help: "s", labels: [] }, () => new Promise(() => undefined));
        return meter.readGauges();
      }),
    );
    const values = together(readings.flat()).map(({ family, cells }) => [family.name, cells.map(({ value }) => value)]);
    expect(values).toEqual([
      ["depth", [3]],
      ["under_way", [4]],
      ["broken", []],
      ["stuck", []],
    ]);
  });

  it("keeps no more kinds than a memory holds", () => {
    const meter = new Meter();
    const count = meter.counter({ name: "n_total", help: "n", labels: ["k"] });
    for (let one = 0; one < 5000; one++) count(`${one}`).add(1);
    const [reading] = meter.takeCounts();
    expect(reading?.cells.length).toBeLessThan(2100);
    expect(reading?.cells.reduce((sum, { value }) => sum + (value as number), 0)).toBe(5000);
  });
});

describe("the models' counters", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-counters-"));
  });
  afterAll(() => rm(folder, { recursive: true }));
  const quiet = pino({ enabled: false });
  const model = { name: "m", version: "2" };
  /** What a frontend counts of an answer and a failure. */
  const counted = () => {
    const meter = new Meter();
    const counters = modelCountersOf(meter)(model, "local");
    counters.answered(7, 1.5);
    counters.failed(2);
    return meter.takeCounts();
  };

  it("go on where they were", async () => {
    for (const run of [1, 2, 3]) {
      const totals = new Totals();
      const kept = await persistCounters(totals, { stateDir: folder, instance: "", log: quiet });
      totals.absorb(counted());
      await kept.close();
      expect(modelCountsIn(totals.readings())).toEqual([
        { model: "m", version: "2", worker: "local", ok: run, failed: run, rows: 7 * run, milliseconds: 3.5 * run },
      ]);
    }
  });

  it("of two frontends, of which one takes over while the other still answers, are told together and none is lost", async () => {
    const stateDir = join(folder, "two");
    await mkdir(stateDir);
    const start = async (instance: string) => {
      const totals = new Totals();
      return { totals, ...(await persistCounters(totals, { stateDir, instance, log: quiet })) };
    };
    const requests = ({ totals }: { totals: Totals }) =>
      modelCountsIn(totals.readings()).reduce((sum, { ok, failed }) => sum + ok + failed, 0);
    const before = await start("");
    before.totals.absorb(counted());
    await before.close();
    let total = 2;
    for (const [from, to] of [
      ["a", "b"],
      ["b", "a"],
    ] as const) {
      const old = await start(from);
      old.totals.absorb(counted());
      const next = await start(to);
      next.totals.absorb(counted());
      // it drains
      old.totals.absorb(counted());
      await old.close();
      total += 6;
      const all = await waitFor("all counts", async () => (requests(next) >= total ? requests(next) : undefined), {
        timeoutMs: 10_000,
      });
      expect(all).toBe(total);
      await next.close();
    }
    const after = await start("b");
    expect(requests(after)).toBe(total);
    await after.close();
  });

  it("begin anew, and say so, where the file is broken", async () => {
    const path = join(folder, "counters.json");
    await writeFile(path, (await readFile(path, "utf8")).slice(0, 50));
    const told: string[] = [];
    const totals = new Totals();
    const kept = await persistCounters(totals, {
      ...{ stateDir: folder, instance: "" },
      log: pino({}, { write: (line) => told.push(line) }),
    });
    expect(totals.readings()).toEqual([]);
    expect(told.join()).toContain("the counters begin anew");
    await kept.close();
  });
});
