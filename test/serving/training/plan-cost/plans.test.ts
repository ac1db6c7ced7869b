import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SlipwayError } from "../../../../src/common/errors.ts";
import { principalComponents } from "../../../../src/serving/training/plan-cost/components.ts";
import { planFeatures } from "../../../../src/serving/training/plan-cost/features.ts";
import { planCostFigures, trainReply } from "../../../../src/serving/training/plan-cost/figures.ts";
import { parsePlans } from "../../../../src/serving/training/plan-cost/plans.ts";
import { planCostReply } from "../../../../src/serving/training/plan-cost/predict.ts";

/** A join of a scan and a sort of a scan, then another query. Encodings of two numbers. */
const text = `7, 1, 0, 1 0.5, 10, 100, 50, 3
7, 2, 1, 2 -1, 0, 20, 40, 1
7, 3, 1, 3 0, 5, 60, 30, 2
7, 4, 3, 4 8, 0, 30, 30, 1
8, 1, 0, 5 5, 1, 2, 3, 4
`;

describe("plans", () => {
  it("are read as openGauss writes them", () => {
    expect(parsePlans(text)[2]).toEqual({
      queryId: "7",
      nodeId: 3,
      parentId: 1,
      encoding: Float64Array.of(3, 0),
      costs: { S: 5, T: 60, R: 30, M: 2 },
    });
  });

  it.each([
    ["a missing column", "7,1,0,1,2,3,4\n", /line 1 of the plans has 7 columns, not 8/],
    ["a shorter encoding", `${text}9,1,0,1,0,0,0,0\n`, /line 6 .* encoding of 1 numbers, the first has 2/],
    ["a word", "7,1,0,1 x,0,0,0,0\n", /"x" where a number belongs/],
    ["an empty encoding", "7,1,0,,0,0,0,0\n", /where a number belongs/],
    ["a node 0", "7,0,0,1,0,0,0,0\n", /plan node id "0"/],
    ["a query that is no number", "q,1,0,1,0,0,0,0\n", /query id "q"/],
    ["nothing", "\n", /holds no plan/],
    ["a parent that is not there", "7,1,5,1,0,0,0,0\n", /the parent 5, which is not in the file/],
    ["a circle", "7,1,2,1,0,0,0,0\n7,2,1,1,0,0,0,0\n", /their own ancestors/],
    ["a node that is its own parent", "7,1,1,1,0,0,0,0\n", /their own ancestors/],
  ])("are refused: %s", (_what, wrong, message) => {
    expect(() => planFeatures(parsePlans(wrong))).toThrow(message);
  });

  it("of any text are read, or refused with a reason", () => {
    const cell = fc.oneof(fc.string({ maxLength: 5 }), fc.integer().map(String), fc.constantFrom("1 2", "0", "1"));
    const line = fc.array(cell, { minLength: 6, maxLength: 9 }).map((cells) => cells.join(","));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 4 }), (lines) => {
        try {
          const nodes = parsePlans(lines.join("\n"));
          expect(planFeatures(nodes).values.every(Number.isFinite)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(SlipwayError);
        }
      }),
    );
  });
});

describe("features", () => {
  it("are a node's own and those of all below it", () => {
    const { rows, width, values } = planFeatures(parsePlans(text));
    const row = (number: number) => [...values.subarray(number * width, (number + 1) * width)];
    expect([rows, width]).toEqual([5, 11]);
    // own | children's sum | sum further below | largest below | height, ln(1 + below), children
    expect(row(0)).toEqual([1, 0.5, 5, -1, 4, 8, 4, 8, 2, Math.fround(Math.log(4)), 2]);
    expect(row(1)).toEqual([2, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(row(2)).toEqual([3, 0, 4, 8, 0, 0, 4, 8, 1, Math.fround(Math.log(2)), 1]);
    expect(row(4)).toEqual([5, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it("do not depend on the order of the lines, nor on a query that was gathered twice", () => {
    const lines = text.trim().split("\n");
    const { width, values } = planFeatures(parsePlans(text));
    const turned = planFeatures(parsePlans([...lines, ...lines].reverse().join("\n")));
    for (const number of lines.keys()) {
      const at = (lines.length - 1 - number) * width;
      expect(turned.values.subarray(at, at + width)).toEqual(values.subarray(number * width, (number + 1) * width));
    }
  });
});

describe("principal components", () => {
  it("are as few as keep the fraction of the variance", () => {
    // variances 8 : 2 : 0 along (3, 4, 0)/5, (4, −3, 0)/5 and (0, 0, 1)
    const directions = [
      [2.4, 3.2, 7],
      [-2.4, -3.2, 7],
      [1.6, -1.2, 7],
      [-1.6, 1.2, 7],
    ];
    const rows = Float64Array.from(directions.flat());
    expect(principalComponents(rows, 3, 0.79).count).toBe(1);
    expect(principalComponents(rows, 3, 0.81).count).toBe(2);
    const { count, values } = principalComponents(rows, 3, 1);
    expect(count).toBe(2);
    expect(Math.abs(values[0] as number)).toBeCloseTo(0.6, 10);
    expect(Math.abs(values[count] as number)).toBeCloseTo(0.8, 10);
    expect(Math.abs(values[1] as number)).toBeCloseTo(0.8, 10);
  });

  it("are orthonormal, and what they leave out is less than the rest of the variance", () => {
    const width = 4;
    const table = fc.array(
      fc.array(fc.double({ min: -9, max: 9, noNaN: true }), { minLength: width, maxLength: width }),
      {
        minLength: 6,
        maxLength: 12,
      },
    );
    fc.assert(
      fc.property(table, fc.double({ min: 0.1, max: 0.99, noNaN: true }), (rows, fraction) => {
        const { count, values } = principalComponents(Float64Array.from(rows.flat()), width, fraction);
        const column = (c: number) => Array.from({ length: width }, (_, i) => values[i * count + c] as number);
        const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
        for (let a = 0; a < count; a++) {
          for (let b = 0; b < count; b++) expect(dot(column(a), column(b))).toBeCloseTo(a === b ? 1 : 0, 8);
        }
        const means = Array.from(
          { length: width },
          (_, i) => rows.reduce((sum, row) => sum + (row[i] as number), 0) / rows.length,
        );
        let [total, left] = [0, 0];
        for (const row of rows) {
          const centred = row.map((value, i) => value - (means[i] as number));
          total += dot(centred, centred);
          const kept = Array.from({ length: count }, (_, c) => dot(centred, column(c)));
          left += dot(centred, centred) - dot(kept, kept);
        }
        expect(left).toBeLessThanOrEqual((1 - fraction) * total + 1e-6);
      }),
    );
  });
});

describe("figures", () => {
  const maxima = { S: 9, T: 99, R: 1, M: 1 };
  const options = {
    labels: ["S", "T"] as ("S" | "T")[],
    encoding: 2,
    featureLength: 2,
    hiddenUnits: 5,
    dimRed: -1,
    maxima,
  };
  const outputs = Float64Array.of(3, 9, 1, 99, 0, 30.4).map(Math.log1p);

  it("are the engine's, by its names", () => {
    const figures = planCostFigures(options, outputs, Float64Array.of(7, 4, 1, 99, 0, 30));
    expect(trainReply(figures)).toEqual({
      re_startup: (2 + 1 + 1) / 3,
      re_total: (2 + 1 + 1) / 3,
      re_row: -1,
      re_mem: -1,
      max_startup: 9,
      max_total: 99,
      max_row: 1,
      max_mem: 1,
      converged: 1,
      feature_length: 2,
    });
    expect(figures).toMatchObject({ max_re_startup: 2, max_re_total: 2, rows: 3 });
    expect(planCostFigures(options, outputs, Float64Array.of(3, 9, 1, 99, 0, 1000)).converged).toBe(0);
  });

  it("of a prediction are whole numbers between commas, null for what is not predicted", () => {
    expect(planCostReply(options, outputs)).toEqual({
      pred_startup: "3, 1, 0",
      pred_total: "9, 99, 30",
      pred_rows: null,
      pred_mem: null,
    });
    expect(planCostReply(options, [-5, 1e9])).toMatchObject({ pred_startup: "0", pred_total: "9007199254740991" });
  });
});
