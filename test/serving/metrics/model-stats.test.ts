import { describe, expect, it } from "vitest";
import { Meter } from "../../../src/serving/metrics/meter.ts";
import { modelStatisticsIn, modelStatsOf } from "../../../src/serving/metrics/model-stats.ts";
import { Totals, together } from "../../../src/serving/metrics/totals.ts";

/** What several processes counted, added up as a frontend's first process does. */
async function statisticsOf(meters: Meter[]) {
  const totals = new Totals();
  for (const meter of meters) totals.absorb(meter.takeCounts());
  const gauges = await Promise.all(meters.map((meter) => meter.readGauges()));
  return modelStatisticsIn([...totals.readings(), ...together(gauges.flat())]);
}

const model = { name: "m", version: "1" };
const timing = (batchRows: number) => ({ batchRows, queueMicros: 10, computeMicros: 100 });

describe("a model's statistics", () => {
  it("count a computation once, however many requests and processes share it", async () => {
    const before = Date.now();
    const meters = [new Meter(), new Meter()];
    const [one, two] = meters.map(modelStatsOf);
    // a batch of 8 rows by three requests to two processes, a batch of 300 alone, and a failure
    one?.answered(model, 3, timing(8), 1);
    one?.answered(model, 1, timing(8), 1);
    two?.answered(model, 4, timing(8), 2);
    two?.answered(model, 300, timing(300), 4);
    two?.failed(model, 5);
    const [found, ...others] = await statisticsOf(meters);
    expect(others).toEqual([]);
    expect(found).toMatchObject({
      ...model,
      inferences: 308,
      executions: 2,
      stages: {
        success: { count: 4, seconds: expect.closeTo(0.008) },
        fail: { count: 1, seconds: expect.closeTo(0.005) },
        queue: { count: 4, seconds: expect.closeTo(40e-6) },
        compute: { count: 4, seconds: expect.closeTo(400e-6) },
      },
      batches: [
        { rows: 8, compute: { count: 1, seconds: expect.closeTo(100e-6) } },
        { rows: 512, compute: { count: 1, seconds: expect.closeTo(100e-6) } },
      ],
    });
    expect(found?.lastInference).toBeGreaterThanOrEqual(before);
    expect(found?.lastInference).toBeLessThanOrEqual(Date.now());
  });

  it("count a model whose tensors have no rows by its requests", async () => {
    const meter = new Meter();
    const stats = modelStatsOf(meter);
    for (let one = 0; one < 3; one++) stats.answered(model, 1, timing(1), 1);
    expect(await statisticsOf([meter])).toMatchObject([{ inferences: 3, executions: 3, batches: [{ rows: 1 }] }]);
  });

  it("leave out what a meter counts under one name because there is too much", async () => {
    const meter = new Meter();
    const stats = modelStatsOf(meter);
    for (let one = 0; one < 2500; one++) stats.answered({ name: `m${one}`, version: "1" }, 1, timing(1), 1);
    const found = await statisticsOf([meter]);
    expect(found.length).toBeGreaterThan(400);
    expect(found.every(({ stages }) => Number.isFinite(stages.success.count))).toBe(true);
  });
});
