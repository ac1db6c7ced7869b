import fc from "fast-check";
import { expect, it } from "vitest";
import { epochLine, epochOf } from "../../../src/serving/jobs/epoch-lines.ts";
import { thinned, trainingCurves } from "../../../src/serving/jobs/training-curve.ts";

const figure = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const count = fc.integer({ min: 1, max: 999_999 });
const epochs = fc.record(
  { epoch: count, epochs: count, loss: figure, accuracy: figure, valLoss: figure, valAccuracy: figure },
  { requiredKeys: ["epoch", "epochs"] },
);

it("an epoch's line is read as what was written", () => {
  fc.assert(
    fc.property(epochs, (epoch) => {
      expect(epochOf(epochLine(epoch, new Date(0)))).toEqual(epoch);
    }),
  );
});

it.each(["", "2026-01-01T00:00:00.000Z 5 rows", "2026-01-01T00:00:00.000Z stdout: epoch 1/2, loss 1"])(
  "%j tells no epoch",
  (line) => expect(epochOf(line)).toBeUndefined(),
);

it("a curve is read on from where it was, and an attempt that begins anew replaces what it repeats", async () => {
  const lines = [1, 2, 3].map((epoch) => epochLine({ epoch, epochs: 3, loss: epoch }, new Date(0)));
  const asked: number[] = [];
  const curve = trainingCurves({
    log: async (_id, from, count = 1000) => {
      asked.push(from);
      return { lines: lines.slice(from, from + count), total: lines.length };
    },
  });
  const read = async () => (await curve("t-1")).map(({ epoch, loss }) => [epoch, loss]);
  expect(await read()).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
  lines.push("again", epochLine({ epoch: 1, epochs: 3, loss: 9 }, new Date(0)));
  expect(await read()).toEqual([[1, 9]]);
  expect(asked).toEqual([0, 3]);
});

it("a thinned curve keeps its ends", () => {
  const points = Array.from({ length: 1001 }, (_, at) => at);
  const few = thinned(points, 11);
  expect(few).toHaveLength(11);
  expect([few[0], few[5], few.at(-1)]).toEqual([0, 500, 1000]);
  expect(thinned([1, 2], 11)).toEqual([1, 2]);
});
