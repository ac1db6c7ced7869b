import { describe, expect, it } from "vitest";
import { gateSchema, judge, verdictLines } from "../../../src/serving/training/gate.ts";
import { measure } from "../../../src/serving/training/measure.ts";

describe("a gate", () => {
  it.each([
    [{}, { loss: 9 }, true],
    [{ minAccuracy: 0.8 }, { accuracy: 0.8 }, true],
    [{ minAccuracy: 0.8 }, { accuracy: 0.79 }, false],
    [{ maxLoss: 0.5 }, { loss: 0.5 }, true],
    [{ maxLoss: 0.5 }, { loss: 0.51 }, false],
    [{ maxLoss: 0.5 }, {}, false],
    [{ maxMeanRatioError: 2 }, { meanRatioError: 2 }, true],
    [{ maxMeanRatioError: 2 }, { meanRatioError: 2.01 }, false],
    [{ betterThanParent: true }, { loss: 0.4, parentLoss: 0.4 }, true],
    [{ betterThanParent: true }, { loss: 0.4, parentLoss: 0.39 }, false],
    [{ betterThanParent: true }, { loss: 0.4 }, false],
    [{ minAccuracy: 0.5, maxLoss: 0.1 }, { accuracy: 0.9, loss: 0.2 }, false],
  ])("%j on %j says %s", (gate, metrics, passed) => {
    expect(judge(gateSchema.parse(gate), metrics).passed).toBe(passed);
  });

  it("says so in words", () => {
    expect(verdictLines(judge(gateSchema.parse({ minAccuracy: 0.8 }), { accuracy: 0.7 }))).toEqual([
      "the gate is not passed",
      "not passed: accuracy 0.7 must be at least 0.8",
    ]);
  });
});

describe("measures", () => {
  const rows = (outputs: number[], width: number, targets: number[], targetWidth = width) => ({
    outputs: Float64Array.from(outputs),
    width,
    targets: Float64Array.from(targets),
    targetWidth,
  });

  it("of probabilities are the cross-entropy and the share that is right", () => {
    expect(measure("binary_crossentropy", rows([0.5, 0.75, 0.25], 1, [0, 1, 1]))).toEqual({
      rows: 3,
      loss: (Math.log(2) + Math.log(4 / 3) + Math.log(4)) / 3,
      accuracy: 2 / 3,
    });
    const classes = measure(
      "sparse_categorical_crossentropy",
      rows([0.5, 0.25, 0.25, 0.125, 0.125, 0.75], 3, [0, 1], 1),
    );
    expect(classes).toEqual({ rows: 2, loss: (Math.log(2) + Math.log(8)) / 2, accuracy: 0.5 });
    expect(measure("sparse_categorical_crossentropy", rows([3, 1, 2, 9], 2, [0, 0], 1))).toEqual({
      rows: 2,
      accuracy: 0.5,
    });
  });

  it("of numbers are the error and openGauss' ratio error, which is for numbers that are never negative", () => {
    expect(measure("mse", rows([1, 7, -3], 1, [3, 3, 0]))).toEqual({
      rows: 3,
      loss: (4 + 16 + 9) / 3,
      meanRatioError: (2 + 2 + 1) / 3,
      maxRatioError: 2,
    });
    expect(measure("mae", rows([1, 7], 1, [-3, 3]))).toEqual({ rows: 2, loss: 4 });
  });
});
