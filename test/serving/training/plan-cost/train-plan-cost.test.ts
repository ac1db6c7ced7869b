import { expect, it } from "vitest";
import { readPackage } from "../../../../src/serving/models/package.ts";
import { planCostOptions } from "../../../../src/serving/training/plan-cost/options.ts";
import { parsePlans } from "../../../../src/serving/training/plan-cost/plans.ts";
import { planCostReply, planRows } from "../../../../src/serving/training/plan-cost/predict.ts";
import { trainModel } from "../../../../src/serving/training/train-model.ts";
import { answers, unpacked } from "../support.ts";
import { ENCODING, madeUpPlans } from "./plans-support.ts";

const data = { text: madeUpPlans(150, 1) };
const spec = { kind: "plan-cost", labels: "TS", maxEpoch: 60, batchSize: 32, hiddenUnits: 24 };

it.each([-1, 0.9])(
  "a plan-cost model learns what plans cost, and is asked through its package: dimRed %f",
  async (dimRed) => {
    const gate = { maxMeanRatioError: 2 };
    const { metrics, verdict, package: model } = await trainModel({ spec: { ...spec, dimRed, gate }, data });
    expect(metrics).toMatchObject({ converged: 1, re_row: -1, re_mem: -1, max_total: expect.any(Number) });
    expect(metrics.feature_length).toBe(dimRed === -1 ? ENCODING : 3);
    expect(verdict).toMatchObject({ passed: true, checks: [{ metric: "meanRatioError", limit: 2 }] });

    const stored = await readPackage((await unpacked(model)).folder);
    const options = planCostOptions(stored);
    expect(options.labels).toEqual(["S", "T"]);
    const asked = madeUpPlans(40, 2); // plans that it has not seen
    const { rows, values } = planRows(options, asked.replace(/(, \d+){4}$/gm, ", -1, -1, -1, -1"));
    const width = values.length / rows;
    const table = Array.from({ length: rows }, (_, row) => [...values.subarray(row * width, (row + 1) * width)]);
    const reply = planCostReply(options, await answers(model.onnx, table));
    const predicted = reply.pred_total?.split(", ").map(Number) ?? [];
    const errors = parsePlans(asked).map(({ costs: { T } }, node) => {
      const [p, t] = [(predicted[node] as number) + 1, T + 1];
      return Math.max(p / t, t / p);
    });
    expect(errors.reduce((sum, error) => sum + error, 0) / errors.length).toBeLessThan(2);
    expect([reply.pred_rows, reply.pred_mem]).toEqual([null, null]);

    // goes on from there
    const parent = await unpacked(model);
    const next = { ...spec, dimRed, maxEpoch: 1, learningRate: 1e-9 };
    const again = await trainModel({ spec: next, data, parent });
    expect(again.metrics.meanRatioError).toBeCloseTo(again.metrics.parentMeanRatioError as number, 2);
    const refused = trainModel({ spec: { ...next, labels: "R", hiddenUnits: 7 }, data, parent });
    await expect(refused).rejects.toThrow("labels ST, not R; 24 hidden units, not 7");
  },
);

it("plans whose costs were not measured train nothing", async () => {
  const text = "1,1,0,1 2,-1,-1,5,-1\n1,2,1,1 2,3,4,5,6\n";
  await expect(trainModel({ spec, data: { text } })).rejects.toThrow("node 1 of query 1 has the S -1");
});

it("a gate that has no meaning for plan costs is refused", async () => {
  await expect(trainModel({ spec: { ...spec, gate: { maxLoss: 1 } }, data })).rejects.toThrow(
    "maxMeanRatioError alone",
  );
});
