import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { differenceBetween } from "../../../src/serving/routing/trials/difference.ts";
import { floatRows, type RawTensor, textTensor } from "../../../src/serving/tensors/raw-tensor.ts";

const floats = (...values: number[]) => [floatRows(Float32Array.from(values), 1)];
const integers = (...values: bigint[]): RawTensor[] => [
  { datatype: "INT64", shape: [values.length], bytes: new Uint8Array(BigInt64Array.from(values).buffer) },
];

describe("two answers", () => {
  it("differ where some number is farther away than the tolerance, and by the farthest of them", () => {
    const value = fc.float({ noNaN: true, noDefaultInfinity: true, min: -8, max: 8 });
    fc.assert(
      fc.property(fc.array(fc.tuple(value, value), { minLength: 1 }), (pairs) => {
        const [found, wanted] = [pairs.map(([one]) => one), pairs.map(([, other]) => other)];
        const { differs, largest } = differenceBetween(floats(...found), floats(...wanted), 0.5);
        const distances = pairs.map(([one, other]) =>
          Math.abs(other) > 1 ? Math.abs((one - other) / other) : Math.abs(one - other),
        );
        const expected = Math.max(...distances);
        expect(largest).toBeCloseTo(expected, 10);
        expect(differs).toBe(expected > 0.5);
      }),
    );
  });

  it.each([
    ["no number and the same", floats(Number.NaN), floats(Number.NaN), false, 0],
    ["no number and one", floats(Number.NaN, 1), floats(1, 1), true, 0],
    ["the same infinity", floats(Number.POSITIVE_INFINITY), floats(Number.POSITIVE_INFINITY), false, 0],
    ["another infinity", floats(Number.NEGATIVE_INFINITY), floats(Number.POSITIVE_INFINITY), true, undefined],
    ["whole numbers", integers(7n), integers(8n), true, 0.125],
    ["whole numbers beyond floats", integers(2n ** 60n), integers(2n ** 61n), true, undefined],
    ["of another shape", floats(1, 2), floats(1), true, undefined],
    ["of another datatype", integers(1n), floats(1), true, undefined],
    ["missing", [], floats(1), true, undefined],
    ["JSON with near numbers", [textTensor(['{"a":[1.001]}'])], [textTensor(['{"a":[1]}'])], false, undefined],
    ["JSON with far numbers", [textTensor(['{"a":2}'])], [textTensor(['{"a":1}'])], true, undefined],
  ])("%s", (_what, found, wanted, differs, largest) => {
    expect(differenceBetween(found, wanted, 0.01)).toEqual({ differs, largest });
  });
});
